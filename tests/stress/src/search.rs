//! Search keys that can be decided without a server.

use crate::content::{Dice, FLAGS, Mask, message, set, word};

#[derive(Clone, Debug)]
pub enum Key {
    All,
    Flag(usize, bool),
    Uids(Vec<u32>),
    Numbers(Vec<u32>),
    Larger(usize),
    Smaller(usize),
    /// A word of the body.
    Word(u64),
    Header(u64),
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Box<Key>, Box<Key>),
}

/// What is known of a message; `size` 0 if its content is not.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub number: u32,
    pub uid: u32,
    pub flags: Mask,
    pub content: Option<u64>,
    pub size: usize,
}

impl Known {
    pub fn new(number: u32, uid: u32, flags: Mask, content: Option<u64>) -> Self {
        Self { number, uid, flags, content, size: content.map_or(0, |id| message(id).len()) }
    }
}

impl Key {
    pub fn random(dice: &mut Dice, all: &[Known], depth: usize) -> Self {
        let part = |dice: &mut Dice, of: fn(&Known) -> u32| {
            let mut some: Vec<u32> = all.iter().map(of).filter(|_| dice.percent(40)).collect();
            if some.is_empty() {
                some.push(all.first().map_or(1, of));
            }
            some
        };
        let content = |dice: &mut Dice| match all {
            [] => dice.roll(),
            all => dice.pick(all).content.unwrap_or(7),
        };
        let below = |dice: &mut Dice| Box::new(Self::random(dice, all, depth - 1));
        match dice.below(if depth > 0 { 14 } else { 11 }) {
            0 => Self::All,
            1..=4 => Self::Flag(dice.below(FLAGS.len()), dice.percent(50)),
            5 => Self::Uids(part(dice, |known| known.uid)),
            // A number of an empty folder would be an error.
            6 if !all.is_empty() => Self::Numbers(part(dice, |known| known.number)),
            6 | 7 => Self::Larger(dice.below(3_000)),
            8 => Self::Smaller(dice.below(3_000)),
            9 => Self::Word(content(dice)),
            10 => Self::Header(content(dice)),
            11 => Self::Not(below(dice)),
            12 => Self::Or(below(dice), below(dice)),
            _ => Self::And(below(dice), below(dice)),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::All => "ALL".into(),
            Self::Flag(bit, on) => flag(*bit, *on),
            Self::Uids(uids) => format!("UID {}", set(uids)),
            Self::Numbers(numbers) => set(numbers),
            Self::Larger(size) => format!("LARGER {size}"),
            Self::Smaller(size) => format!("SMALLER {size}"),
            Self::Word(id) => format!("TEXT \"{}\"", word(*id)),
            Self::Header(id) => format!("HEADER Message-ID \"<{id}@stress.test>\""),
            Self::Not(key) => format!("NOT ({})", key.text()),
            Self::Or(one, other) => format!("OR ({}) ({})", one.text(), other.text()),
            Self::And(one, other) => format!("({} {})", one.text(), other.text()),
        }
    }

    /// `None` if what is known does not decide it.
    pub fn matches(&self, known: &Known) -> Option<bool> {
        Some(match self {
            Self::All => true,
            Self::Flag(bit, on) => (known.flags >> bit & 1 == 1) == *on,
            Self::Uids(uids) => uids.contains(&known.uid),
            Self::Numbers(numbers) => numbers.contains(&known.number),
            Self::Larger(size) => known.content.map(|_| known.size > *size)?,
            Self::Smaller(size) => known.content.map(|_| known.size < *size)?,
            Self::Word(id) | Self::Header(id) => known.content? == *id,
            Self::Not(key) => !key.matches(known)?,
            Self::Or(one, other) => one.matches(known)? | other.matches(known)?,
            Self::And(one, other) => one.matches(known)? & other.matches(known)?,
        })
    }

    /// Decided by numbers: these may move until a later command is read.
    pub fn counts(&self) -> bool {
        match self {
            Self::Numbers(_) => true,
            Self::Not(key) => key.counts(),
            Self::Or(one, other) | Self::And(one, other) => one.counts() || other.counts(),
            _ => false,
        }
    }
}

fn flag(bit: usize, on: bool) -> String {
    let name = FLAGS[bit];
    match name.strip_prefix('\\') {
        Some(system) => format!("{}{}", if on { "" } else { "UN" }, system.to_ascii_uppercase()),
        None => format!("{}KEYWORD {name}", if on { "" } else { "UN" }),
    }
}
