//! Lies to try the checker with: each is told in place of what the server said, and must be found out.

use crate::content::Dice;
use crate::parse::{Kind, Response, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// An EXPUNGE or VANISHED is swallowed.
    DropExpunge,
    /// An EXPUNGE of the neighbour.
    ShiftExpunge,
    /// One more than there are.
    ShiftExists,
    /// New messages are not announced.
    DropExists,
    /// A flag that is not set.
    ChangeFlag,
    /// Changed flags are not told.
    DropFetch,
    /// FETCH speaks of the next number.
    ShiftFetch,
    /// APPENDUID names the uid before.
    ReuseUid,
    /// COPYUID in the wrong order or one off.
    ChangeCopyUid,
    /// An octet of a body is another.
    ChangeBody,
    /// A search finds one message less.
    DropHit,
    /// STATUS counts one message more.
    ChangeStatus,
    /// The quota counts one KB more.
    ChangeQuota,
    /// A STORE never reaches the server, which seems to say OK.
    SwallowStore,
    /// A conditional STORE reaches the server without its condition.
    IgnoreCondition,
    /// MODSEQ goes back.
    OldModseq,
    /// An expunge is told while a FETCH counts.
    EarlyExpunge,
}

pub const LIES: [Lie; 17] = [
    Lie::DropExpunge,
    Lie::ShiftExpunge,
    Lie::ShiftExists,
    Lie::DropExists,
    Lie::ChangeFlag,
    Lie::DropFetch,
    Lie::ShiftFetch,
    Lie::ReuseUid,
    Lie::ChangeCopyUid,
    Lie::ChangeBody,
    Lie::DropHit,
    Lie::ChangeStatus,
    Lie::ChangeQuota,
    Lie::SwallowStore,
    Lie::IgnoreCondition,
    Lie::OldModseq,
    Lie::EarlyExpunge,
];

impl Lie {
    /// Lies that need something the server may not offer.
    pub fn needs(self) -> Option<&'static str> {
        matches!(self, Self::IgnoreCondition | Self::OldModseq).then_some("CONDSTORE")
    }
}

#[derive(Clone, Debug)]
pub struct Mutator {
    pub lie: Lie,
    dice: Dice,
    /// Told so far.
    pub told: u32,
}

impl Mutator {
    pub fn new(lie: Lie, seed: u64) -> Self {
        Self { lie, dice: Dice::new(seed), told: 0 }
    }

    /// Not each time, so that all that follows is also seen to be in order.
    fn now(&mut self) -> bool {
        let now = self.dice.percent(25);
        self.told += u32::from(now);
        now
    }

    /// What the client is to read; `None` for nothing.
    pub fn apply(&mut self, response: Response) -> Option<Response> {
        let lie = self.lie;
        match (lie, response) {
            (Lie::DropExpunge, Response::Number(_, word)) if word == "EXPUNGE" && self.now() => None,
            (Lie::DropExpunge, Response::Data(name, _)) if name == "VANISHED" && self.now() => None,
            (Lie::ShiftExpunge, Response::Number(number, word))
                if word == "EXPUNGE" && number > 1 && self.now() =>
            {
                Some(Response::Number(number - 1, word))
            }
            (Lie::ShiftExists, Response::Number(number, word)) if word == "EXISTS" && self.now() => {
                Some(Response::Number(number + 1, word))
            }
            (Lie::DropExists, Response::Number(_, word)) if word == "EXISTS" && self.now() => None,
            (Lie::DropFetch, Response::Fetch(..)) if self.now() => None,
            (Lie::EarlyExpunge, Response::Fetch(number, _)) if self.now() => {
                Some(Response::Number(number, "EXPUNGE".into()))
            }
            (_, Response::Fetch(number, fetched)) => Some(self.fetch(number, fetched)),
            (Lie::DropHit, Response::Data(name, mut values))
                if name == "SEARCH" && !values.is_empty() && self.now() =>
            {
                values.remove(0);
                Some(Response::Data(name, values))
            }
            (Lie::ChangeStatus | Lie::ChangeQuota, Response::Data(name, values)) => {
                Some(self.count(name, values))
            }
            (Lie::ReuseUid | Lie::ChangeCopyUid, status @ Response::Status { .. }) => Some(self.code(status)),
            (_, response) => Some(response),
        }
    }

    fn fetch(&mut self, number: u32, mut fetched: crate::parse::Fetched) -> Response {
        let lie = self.lie;
        match lie {
            Lie::ShiftFetch if number > 1 && self.now() => return Response::Fetch(number - 1, fetched),
            Lie::ChangeFlag => {
                if let Some(flags) = &mut fetched.flags
                    && self.dice.percent(25)
                {
                    self.told += 1;
                    match flags.iter().position(|flag| flag == "\\Flagged") {
                        Some(at) => _ = flags.remove(at),
                        None => flags.push("\\Flagged".into()),
                    }
                }
            }
            Lie::ChangeBody => {
                for (_, octets) in &mut fetched.sections {
                    if let Some(last) = octets.as_mut().and_then(|octets| octets.last_mut()) {
                        *last ^= 1;
                        self.told += 1;
                    }
                }
            }
            Lie::OldModseq => {
                if let Some(modseq) = &mut fetched.modseq
                    && self.dice.percent(25)
                {
                    *modseq -= 1;
                    self.told += 1;
                }
            }
            _ => {}
        }
        Response::Fetch(number, fetched)
    }

    fn count(&mut self, name: String, mut values: Vec<Value>) -> Response {
        let wanted = if self.lie == Lie::ChangeStatus { "STATUS" } else { "QUOTA" };
        if name == wanted
            && let Some(Value::List(items)) = values.get_mut(1)
            && let Some(value) = items.get_mut(1)
            && let Some(number) = value.number::<u64>()
        {
            self.told += 1;
            *value = Value::Atom((number + 1).to_string());
        }
        Response::Data(name, values)
    }

    fn code(&mut self, status: Response) -> Response {
        let Response::Status { tag, kind: Kind::Ok, code: Some(code), text } = status.clone() else {
            return status;
        };
        let words: Vec<&str> = code.split(' ').collect();
        let wrong = match (self.lie, words.as_slice()) {
            (Lie::ReuseUid, ["APPENDUID", folder, uid]) => {
                let Ok(uid) = uid.parse::<u32>() else { return status };
                format!("APPENDUID {folder} {}", uid.saturating_sub(1))
            }
            (Lie::ChangeCopyUid, ["COPYUID", folder, from, to]) => {
                let Some(to) = crate::parse::numbers(to) else { return status };
                let next: Vec<u32> = to.iter().map(|uid| uid + 1).collect();
                format!("COPYUID {folder} {from} {}", crate::content::set(&next))
            }
            _ => return status,
        };
        if !self.now() {
            return status;
        }
        Response::Status { tag, kind: Kind::Ok, code: Some(wrong), text }
    }

    /// Is this command, in place of being sent, to be answered with OK?
    pub fn swallows(&mut self) -> bool {
        self.lie == Lie::SwallowStore && self.now()
    }

    pub fn ignores_condition(&mut self) -> bool {
        let ignores = self.lie == Lie::IgnoreCondition;
        self.told += u32::from(ignores);
        ignores
    }
}
