//! `--name value` pairs; sizes such as `75k` or `50m`.

use crate::target::Target;
use crate::wire::Outcome;
use std::collections::HashMap;

#[derive(Debug)]
pub struct Flags(HashMap<String, String>);

impl Flags {
    pub fn parse(words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut found = HashMap::new();
        let mut words = words;
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("{word} is no flag"))?;
            let value = words.next().ok_or_else(|| format!("--{name} needs a value"))?;
            found.insert(name.to_owned(), value);
        }
        Ok(Self(found))
    }

    pub fn text(&self, name: &str, default: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| default.to_owned())
    }

    /// A whole number; `k` and `m` multiply by 1,024 and 1,048,576.
    pub fn number(&self, name: &str, default: usize) -> Outcome<usize> {
        let Some(text) = self.0.get(name) else { return Ok(default) };
        let (digits, unit) = match text.strip_suffix('k') {
            Some(digits) => (digits, 1 << 10),
            None => text.strip_suffix('m').map_or((text.as_str(), 1), |digits| (digits, 1 << 20)),
        };
        Ok(digits.parse::<usize>().map_err(|_| format!("--{name} {text} is no number"))? * unit)
    }

    pub fn target(&self) -> Outcome<Target> {
        Target::read(self.0.get("server").ok_or("--server TOML is needed")?)
    }
}
