//! Many short texts as one, so that a look through all of them is one pass over memory.

use memchr::memmem::Finder;

/// Texts behind one another, a line end before, between and behind them. No text has a line end.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn push(&mut self, line: &str) {
        if self.text.is_empty() {
            self.text.push('\n');
        }
        self.starts.push(self.text.len());
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Octets it takes.
    pub(super) fn bytes(&self) -> usize {
        self.text.capacity() + self.starts.capacity() * size_of::<usize>()
    }

    /// Numbers of the lines that have `pattern`, from 0, each once, ascending. A line end that the pattern begins or
    /// ends with is that of a line. None have an empty one.
    pub(super) fn having(&self, pattern: &str) -> impl Iterator<Item = usize> {
        let finder = Finder::new(pattern).into_owned();
        let within = usize::from(pattern.starts_with('\n'));
        let mut at = if pattern.is_empty() { self.text.len() + 1 } else { 0 };
        std::iter::from_fn(move || {
            let offset = finder.find(self.text.as_bytes().get(at..)?)?;
            let behind = self.starts.partition_point(|start| *start <= at + offset + within);
            // To the line end before the next line.
            at = self.starts.get(behind).map_or(self.text.len(), |next| next - 1);
            behind.checked_sub(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_line_once() {
        let mut lines = Lines::default();
        assert_eq!(lines.having("a").count(), 0);
        for line in ["aa", "", "ba", "a"] {
            lines.push(line);
        }
        let having = |pattern: &str| lines.having(pattern).collect::<Vec<_>>();
        assert_eq!(having("a"), [0, 2, 3]);
        assert_eq!(having("\na"), [0, 3]);
        assert_eq!(having("a\n"), [0, 2, 3]);
        assert_eq!(having("\na\n"), [3]);
        assert!(having("c").is_empty() && having("").is_empty());
    }
}
