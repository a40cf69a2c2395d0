//! Schemes as values: an ordered list of rules that a profile picks and an administrator may edit, for persons and for units.
//!
//! Invariants: the same name and scheme give the same proposals in the same order, each once, each a valid local part, at
//! most [`STEPS_MAX`] steps whatever the rules say. Whether one is free is not known here: see `choose`.

use super::form::{Form, Parts, Piece, Step};
use super::local_part::{LOCAL_BYTES_MAX, LocalPart};
use super::person_name::PersonName;
use super::unit_name::{NameKind, UnitName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Rules of one scheme; the longest of ours has 14.
pub const RULES_MAX: usize = 64;
/// Steps tried for one name. The largest scheme of ours has some 1,400 and no province more holders of one result.
pub const STEPS_MAX: u32 = 16_384;
/// The highest number a rule may append.
pub const NUMBER_MAX: u32 = 9_999;

/// One rule: a form, when it applies, and who says so. Written in a profile with these names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// Short name, unique in its scheme; recorded with the grant.
    pub id: String,
    pub form: Form,
    /// First number of `{n}`.
    #[serde(default = "first_number")]
    pub from: u32,
    /// Last number of `{n}`, at most [`NUMBER_MAX`].
    #[serde(default = "last_number")]
    pub to: u32,
    /// What it does, for an officer (Vietnamese).
    pub text: String,
    /// The article that says so, or that the text is silent (Vietnamese).
    pub source: String,
    /// The units it is for; every unit where nothing is said.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
}

fn first_number() -> u32 {
    2
}

fn last_number() -> u32 {
    NUMBER_MAX
}

/// Conditions of a unit's rule; an empty list or none means any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct When {
    /// The unit's own kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<NameKind>,
    /// The kind of the unit above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under: Vec<NameKind>,
    /// Who else bears its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namesakes: Option<Namesakes>,
}

impl When {
    #[must_use]
    pub fn is_always(&self) -> bool {
        *self == Self::default()
    }

    fn holds(&self, unit: &Unit<'_>) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&unit.name.kind());
        let under =
            self.under.is_empty() || unit.parent.is_some_and(|parent| self.under.contains(&parent.kind));
        kind && under && self.namesakes.is_none_or(|namesakes| namesakes == unit.namesakes)
    }
}

/// Places of one name (trùng tên, An Giang 63/2016 Điều 6.2a). Equal results count as equal names (A13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Namesakes {
    #[default]
    None,
    /// Another xã, phường, thị trấn or đặc khu.
    Commune,
    /// A huyện, thị xã or thành phố, whichever.
    District,
    /// Both.
    Both,
}

impl Namesakes {
    /// Who of `others`, the unit itself not among them, bears the name of this place.
    pub fn among<'n>(name: &UnitName, others: impl IntoIterator<Item = &'n UnitName>) -> Self {
        let (mut commune, mut district) = (false, false);
        for other in others.into_iter().filter(|other| other.whole() == name.whole()) {
            commune |= other.kind().is_commune_level();
            district |= other.kind() == NameKind::District;
        }
        match (commune, district) {
            (false, false) => Self::None,
            (true, false) => Self::Commune,
            (false, true) => Self::District,
            (true, true) => Self::Both,
        }
    }
}

/// An address that a scheme proposes, with the rule that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal<'s> {
    pub local: LocalPart,
    pub rule: &'s Rule,
}

/// Who goes first among those who ask on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SameDay {
    /// In the order of registration.
    #[default]
    Registration,
    /// Leaders by rank, then registration (Sóc Trăng 59/2024 Điều 3.4b).
    LeadersFirst,
}

/// How addresses of persons are made (hộp thư cá nhân).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PersonScheme {
    /// A later holder chooses among the free ones (Thái Nguyên 957/2013 Điều 3.5); else the first free one is given.
    #[serde(default)]
    pub holder_chooses: bool,
    #[serde(default)]
    pub same_day: SameDay,
    /// In the order they are tried.
    pub rules: Vec<Rule>,
}

impl PersonScheme {
    /// The addresses for a name, best first. `unit` is the code of the person's unit; without it, rules that need one give
    /// nothing.
    #[must_use]
    pub fn propose(&self, name: &PersonName, unit: Option<&str>) -> Proposals<'_> {
        let mut values = vec![(Piece::Given, name.given().to_owned()), (Piece::Initials, name.initials())];
        values.extend(unit.map(|unit| (Piece::Unit, unit.to_owned())));
        Proposals::new(self.rules.iter().collect(), Parts { values, grown: grown(name.before_given()) })
    }

    /// Does every rule need the code of a unit (Lào Cai)?
    #[must_use]
    pub fn needs_unit(&self) -> bool {
        self.rules.iter().all(|rule| rule.form.pieces().contains(&Piece::Unit))
    }

    /// # Errors
    /// The first thing wrong with the rules.
    pub fn check(&self) -> Result<(), SchemeError> {
        check(&self.rules, Piece::is_of_persons)?;
        match self.rules.iter().find(|rule| !rule.when.is_always()) {
            Some(rule) => Err(SchemeError::Condition(rule.id.clone())),
            None => Ok(()),
        }
    }
}

/// One more letter of surname and middle names in turn, each time ("tăng dần ký tự kế tiếp trong họ và đệm", Lào Cai
/// 33/2010 Điều 4.2b): nt, ngt, ngth, nguth … until all is written out.
fn grown(words: &[String]) -> Vec<String> {
    let mut lengths = vec![1_usize; words.len()];
    let mut grown = Vec::new();
    loop {
        let before = grown.len();
        for turn in 0..words.len() {
            let Some((word, length)) = words.get(turn).zip(lengths.get_mut(turn)) else { continue };
            if *length >= word.len() {
                continue;
            }
            *length += 1;
            let text: String =
                words.iter().zip(&lengths).flat_map(|(word, length)| word.chars().take(*length)).collect();
            if text.len() > LOCAL_BYTES_MAX {
                return grown;
            }
            grown.push(text);
        }
        if grown.len() == before {
            return grown;
        }
    }
}

/// What a scheme must know of a unit.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    pub name: &'a UnitName,
    /// The unit above, if it has an address.
    pub parent: Option<Parent<'a>>,
    /// Its code in the province's list (Lào Cai) or the name of its own sub-domain (Thái Nguyên).
    pub code: Option<&'a str>,
    pub namesakes: Namesakes,
}

impl<'a> Unit<'a> {
    /// A unit directly under the province, without code or namesakes.
    #[must_use]
    pub fn new(name: &'a UnitName) -> Self {
        Self { name, parent: None, code: None, namesakes: Namesakes::None }
    }

    #[must_use]
    pub fn under(self, local: &'a str, kind: NameKind) -> Self {
        Self { parent: Some(Parent { local, kind }), ..self }
    }

    #[must_use]
    pub fn with_code(self, code: &'a str) -> Self {
        Self { code: Some(code), ..self }
    }

    #[must_use]
    pub fn with_namesakes(self, namesakes: Namesakes) -> Self {
        Self { namesakes, ..self }
    }
}

/// The unit above: its local part ("sotttt") and its kind.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'a> {
    pub local: &'a str,
    pub kind: NameKind,
}

/// How addresses of units are made (hộp thư đơn vị).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UnitScheme {
    /// Names of so many words or more, kind and "và" not counted, become initials where a rule says `{name}`
    /// (An Giang 63/2016 Điều 6.2a: 3).
    pub abbreviate_from: usize,
    /// In the order they are tried.
    pub rules: Vec<Rule>,
}

impl UnitScheme {
    /// The addresses for a unit, best first; proposals only, the operator decides.
    #[must_use]
    pub fn propose(&self, unit: &Unit<'_>) -> Proposals<'_> {
        let name = unit.name;
        let short = if name.word_count() >= self.abbreviate_from { name.initials() } else { name.whole() };
        let mut values = vec![
            (Piece::Type, name.kind_word()),
            (Piece::Name, short),
            (Piece::Whole, name.whole()),
            (Piece::Initials, name.initials()),
            (Piece::AllInitials, name.all_initials()),
        ];
        values.extend(unit.parent.map(|parent| (Piece::Parent, parent.local.to_owned())));
        values.extend(unit.code.map(|code| (Piece::Code, code.to_owned())));
        let rules = self.rules.iter().filter(|rule| rule.when.holds(unit)).collect();
        Proposals::new(rules, Parts { values, grown: Vec::new() })
    }

    /// What of a proposal is the code in a list: all of it, or what is left without the text that the scheme puts before codes
    /// (`contact-stttt` is the address of `stttt`).
    #[must_use]
    pub fn code_of<'l>(&self, local: &'l LocalPart) -> Option<&'l str> {
        let of_codes = self.rules.iter().map(|rule| rule.form.pieces()).find(|p| p.contains(&Piece::Code));
        match of_codes.and_then(<[Piece]>::first) {
            Some(Piece::Text(text)) => local.as_str().strip_prefix(text.as_str()),
            _ => Some(local.as_str()),
        }
    }

    /// # Errors
    /// The first thing wrong with the rules.
    pub fn check(&self) -> Result<(), SchemeError> {
        check(&self.rules, Piece::is_of_units)
    }
}

/// What is wrong with a scheme; the rule by its id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    #[error("a scheme has 1 to {RULES_MAX} rules")]
    Count,
    #[error("rule {0:?} stands twice")]
    Twice(String),
    #[error("the form of rule {0:?} has a placeholder that means nothing here")]
    Piece(String),
    #[error("the numbers of rule {0:?} are not a range within 0 to {NUMBER_MAX}")]
    Numbers(String),
    #[error("rule {0:?} has a condition on units")]
    Condition(String),
}

fn check(rules: &[Rule], fits: fn(&Piece) -> bool) -> Result<(), SchemeError> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(SchemeError::Count);
    }
    let mut ids = BTreeSet::new();
    for rule in rules {
        if !ids.insert(&rule.id) {
            return Err(SchemeError::Twice(rule.id.clone()));
        }
        if !rule.form.pieces().iter().all(fits) {
            return Err(SchemeError::Piece(rule.id.clone()));
        }
        if rule.from > rule.to || rule.to > NUMBER_MAX {
            return Err(SchemeError::Numbers(rule.id.clone()));
        }
    }
    Ok(())
}

/// The proposals of a scheme for one name, best first.
#[derive(Debug)]
pub struct Proposals<'s> {
    rules: std::vec::IntoIter<&'s Rule>,
    rule: Option<&'s Rule>,
    parts: Parts,
    step: u32,
    steps_left: u32,
    seen: BTreeSet<LocalPart>,
}

impl<'s> Proposals<'s> {
    fn new(rules: Vec<&'s Rule>, parts: Parts) -> Self {
        let mut rules = rules.into_iter();
        Self { rule: rules.next(), rules, parts, step: 0, steps_left: STEPS_MAX, seen: BTreeSet::new() }
    }
}

impl<'s> Iterator for Proposals<'s> {
    type Item = Proposal<'s>;

    fn next(&mut self) -> Option<Proposal<'s>> {
        loop {
            let rule = self.rule?;
            self.steps_left = self.steps_left.checked_sub(1)?;
            match rule.form.text(self.step, (rule.from, rule.to), &self.parts) {
                Step::Text(text) => {
                    self.step = self.step.saturating_add(1);
                    if let Ok(local) = LocalPart::try_from(text)
                        && self.seen.insert(local.clone())
                    {
                        return Some(Proposal { local, rule });
                    }
                }
                // What is missing or too long at one step is so at the later, longer ones.
                Step::End | Step::Nothing => {
                    self.rule = self.rules.next();
                    self.step = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, form: &str, from: u32, to: u32) -> Rule {
        Rule {
            id: id.to_owned(),
            form: form.parse().unwrap(),
            from,
            to,
            text: String::new(),
            source: String::new(),
            when: When::default(),
        }
    }

    fn persons(rules: Vec<Rule>) -> PersonScheme {
        PersonScheme { holder_chooses: false, same_day: SameDay::Registration, rules }
    }

    #[test]
    fn letters_grow_in_turn() {
        let words = ["nguyen".to_owned(), "thi".to_owned()];
        let expected = ["ngt", "ngth", "nguth", "nguthi", "nguythi", "nguyethi", "nguyenthi"];
        assert_eq!(grown(&words), expected);
        assert!(grown(&[]).is_empty());
        assert!(grown(&["y".to_owned()]).is_empty());
        assert!(grown(&vec!["nguyen".to_owned(); 200]).is_empty());
    }

    #[test]
    fn a_proposal_stands_once() {
        let name = PersonName::parse("Pao").unwrap();
        let scheme = persons(vec![
            rule("a", "{initials}{given}", 2, 9),
            rule("b", "{given}{initials}", 2, 9),
            rule("c", "{given}{n}", 2, 3),
        ]);
        let made: Vec<_> =
            scheme.propose(&name, None).map(|p| (p.local.to_string(), p.rule.id.clone())).collect();
        let expected = [("pao", "a"), ("pao2", "c"), ("pao3", "c")];
        assert_eq!(made, expected.map(|(local, id)| (local.to_owned(), id.to_owned())));
    }

    #[test]
    fn wrong_schemes_are_found() {
        let error = |rules| persons(rules).check().unwrap_err();
        assert_eq!(error(vec![]), SchemeError::Count);
        assert_eq!(error(vec![rule("a", "{given}", 2, 9); 65]), SchemeError::Count);
        assert_eq!(error(vec![rule("a", "{given}", 2, 9); 2]), SchemeError::Twice("a".to_owned()));
        assert_eq!(error(vec![rule("a", "{whole}", 2, 9)]), SchemeError::Piece("a".to_owned()));
        assert_eq!(error(vec![rule("a", "{given}{n}", 9, 2)]), SchemeError::Numbers("a".to_owned()));
        assert_eq!(error(vec![rule("a", "{given}{n}", 2, 10_000)]), SchemeError::Numbers("a".to_owned()));
        let mut of_units = rule("a", "{given}", 2, 9);
        of_units.when.namesakes = Some(Namesakes::None);
        assert_eq!(error(vec![of_units]), SchemeError::Condition("a".to_owned()));
        let units = UnitScheme { abbreviate_from: 3, rules: vec![rule("a", "{given}", 2, 9)] };
        assert_eq!(units.check(), Err(SchemeError::Piece("a".to_owned())));
    }

    #[test]
    fn an_endless_rule_has_an_end() {
        let name = PersonName::parse("An").unwrap();
        let scheme = persons(vec![rule("a", "{given}{n}", 0, u32::MAX)]);
        assert_eq!(scheme.propose(&name, None).count(), usize::try_from(STEPS_MAX).unwrap());
    }

    #[test]
    fn namesakes_are_counted() {
        let read = |text: &str| UnitName::parse(text).unwrap();
        let others =
            [read("Xã Vĩnh Thạnh"), read("Huyện Châu Thành"), read("Phường Châu Thành"), read("Sở Y tế")];
        let among = |text: &str| Namesakes::among(&read(text), &others);
        assert_eq!(among("Xã Mỹ Đức"), Namesakes::None);
        assert_eq!(among("Thị trấn Vĩnh Thạnh"), Namesakes::Commune);
        assert_eq!(among("Xã Châu Thành"), Namesakes::Both);
        assert_eq!(Namesakes::among(&read("Xã Châu Thành"), &others[..2]), Namesakes::District);
    }
}
