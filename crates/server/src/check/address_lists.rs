//! Lists of addresses that policies name (DNSBL): do they answer, and as lists do? One that does not is no evidence, so without this
//! nobody would notice that it keeps nothing away.
//!
//! Invariant: of what could not be found out nothing is said but that.

use super::Findings;
use super::database::Found;
use guard::{BlockLists, DnsError, ListTrial, Resolver};
use model::DomainName;

pub(super) async fn look(resolver: &Resolver, found: &Found, findings: &mut Findings) {
    let lists = BlockLists::new(resolver.clone());
    for zone in &found.lists {
        judge(zone, lists.try_out(zone).await, findings);
    }
}

fn judge(zone: &DomainName, tried: Result<ListTrial, DnsError>, findings: &mut Findings) {
    match tried {
        Ok(ListTrial::Sound) => findings.ok("inbound", format!("the list {zone} answers")),
        Ok(ListTrial::Empty) => findings.warn(
            "inbound",
            format!("the list {zone} has not the entry that every list has (127.0.0.2, RFC 5782 5)"),
            "look whether it is still kept, and how its name is written in inbound.lists",
        ),
        Ok(ListTrial::Unbelievable) => findings.warn(
            "inbound",
            format!("the list {zone} does not answer as lists do, and is believed nothing"),
            "it may refuse to be asked by a public resolver ([dns] servers), want a contract, or have ended: then take it out of inbound.lists",
        ),
        Err(error) => findings.warn("inbound", format!("the list {zone}: {error}"), "try again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, as_text};
    use super::*;

    #[test]
    fn a_list_that_keeps_nothing_away_is_said() {
        let zone = DomainName::new("bl.example.org").unwrap();
        for (tried, warnings, said) in [
            (Ok(ListTrial::Sound), 0, "the list bl.example.org answers"),
            (Ok(ListTrial::Empty), 1, "has not the entry"),
            (Ok(ListTrial::Unbelievable), 1, "believed nothing; it may refuse"),
            (Err(DnsError::Silence), 1, "bl.example.org: the name servers do not answer"),
        ] {
            let mut findings = Findings::default();
            judge(&zone, tried, &mut findings);
            let text = as_text(&findings);
            assert!(text.contains(said), "{text}");
            assert_eq!((findings.count(Level::Warning), findings.count(Level::Error)), (warnings, 0));
        }
    }
}
