//! Dice, flags, and messages made of a number alone: whoever knows the number knows every octet.

/// Bits of a message's flags; what is not in [`FLAGS`] no client of ours ever sets.
pub type Mask = u16;
pub const SEEN: Mask = 1;
pub const DELETED: Mask = 8;
/// The message is not in the folder any more.
pub const GONE: Mask = 1 << 15;
pub const FLAGS: [&str; 13] = [
    "\\Seen",
    "\\Answered",
    "\\Flagged",
    "\\Deleted",
    "\\Draft",
    "$Forwarded",
    "$Junk",
    "$NotJunk",
    "$MDNSent",
    "Khan",
    "Mat",
    "Da-xu-ly",
    "Cho-duyet",
];

/// `None` for a flag nobody set. \Recent belongs to sessions, not to messages.
pub fn mask<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Mask> {
    names.into_iter().filter(|name| !name.eq_ignore_ascii_case("\\Recent")).try_fold(0, |mask, name| {
        let bit = FLAGS.iter().position(|flag| flag.eq_ignore_ascii_case(name))?;
        Some(mask | 1 << bit)
    })
}

pub fn names(mask: Mask) -> String {
    let names: Vec<&str> =
        FLAGS.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, name)| *name).collect();
    names.join(" ")
}

pub fn show(mask: Mask) -> String {
    if mask & GONE == 0 { format!("({})", names(mask)) } else { "gone".into() }
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap_or(0)
    }

    /// True in so many of a hundred.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of `choices` by its weight.
    pub fn weighed<T: Copy>(&mut self, choices: &[(usize, T)]) -> T {
        let mut left = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        choices[0].1
    }

    /// A few flags, often none.
    pub fn flags(&mut self) -> Mask {
        let mut mask = 0;
        for _ in 0..self.below(4) {
            mask |= 1 << self.below(FLAGS.len());
        }
        mask
    }
}

/// A word that is in message `id` alone.
pub fn word(id: u64) -> String {
    format!("tu{id:010}x")
}

pub fn message(id: u64) -> Vec<u8> {
    let mut dice = Dice::new(id ^ 0x5EED);
    let size = match dice.below(100) {
        0 => 200_000 + dice.below(200_000),
        1..=9 => 10_000 + dice.below(60_000),
        _ => 200 + dice.below(3_000),
    };
    let mut text = format!(
        "From: can-bo-{}@stress.test\r\nTo: hop-thu@stress.test\r\nSubject: =?utf-8?Q?V=C4=83n_b=E1=BA=A3n?= so {id}\r\n\
         Message-ID: <{id}@stress.test>\r\nDate: Mon, 02 Jun 2025 08:00:00 +0700\r\nX-Stress: {id}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nKính gửi {}\r\n",
        dice.below(50),
        word(id)
    );
    const WORDS: [&str; 12] =
        ["công", "văn", "số", "sở", "nội", "vụ", "kế", "hoạch", "báo", "cáo", "tỉnh", "xã"];
    while text.len() < size {
        for _ in 0..10 {
            text.push_str(WORDS[dice.below(WORDS.len())]);
            text.push(' ');
        }
        text.push_str(&format!("{:016x}\r\n", dice.roll()));
    }
    text.into_bytes()
}

/// The number in the header that `message` wrote.
pub fn id_of(header: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(header).into_owned();
    text.lines().find_map(|line| line.strip_prefix("X-Stress: "))?.trim().parse().ok()
}

/// `1:3,7` of ascending numbers.
pub fn set(numbers: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|(low, high)| if low == high { low.to_string() } else { format!("{low}:{high}") })
        .collect();
    parts.join(",")
}
