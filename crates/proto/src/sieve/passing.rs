//! Where a script passes mail on to, as far as it says so itself: for the record of whoever put it there.

use super::compile::Script;
use super::program::{Act, Step};
use std::collections::BTreeSet;

impl Script {
    /// The addresses of its redirects, without those that are made while it runs and those of scripts that it includes.
    pub fn passes_on_to(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        collect(&self.steps, &mut found);
        found
    }
}

fn collect<'s>(steps: &'s [Step], found: &mut BTreeSet<&'s str>) {
    for step in steps {
        match &step.act {
            Act::Redirect(redirect) => found.extend(redirect.to.literal()),
            Act::If { arms, otherwise } => {
                arms.iter().for_each(|(_, steps)| collect(steps, found));
                collect(otherwise, found);
            }
            Act::ForEveryPart { steps, .. } => collect(steps, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sieve::compile;

    #[test]
    fn what_is_written_is_found_wherever_it_stands() {
        let source = br#"require ["variables", "copy", "foreverypart", "mime", "extlists"];
            redirect "a@x.vn";
            if true { redirect :copy "b@x.vn"; } elsif false { redirect "a@x.vn"; } else { redirect "c@x.vn"; }
            foreverypart { redirect "d@x.vn"; }
            set "to" "e@x.vn"; redirect "${to}"; redirect :list "urn:x";"#;
        let script = compile(source).unwrap();
        assert_eq!(Vec::from_iter(script.passes_on_to()), ["a@x.vn", "b@x.vn", "c@x.vn", "d@x.vn", "urn:x"]);
    }
}
