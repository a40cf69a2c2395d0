//! What a password must be, and for how long it may be used.
//!
//! Invariants: every flaw is reported, not just the first, so that a user needs one attempt to learn the rules; passwords
//! are looked at in NFC and never kept, logged or put into a flaw. Whether a password was used before only the keeper of
//! the hashes can tell: that comes in as a fact.

use crate::calendar::{days_from, plus_months};
use crate::name::fold_marks;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// More is refused before any work is done on it.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// The policy of passwords (B3). The defaults are the strictest of the regulations, but for the expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Characters, at least (Sóc Trăng 59/2024 Điều 8.1b; Sở Công Thương Bình Định 148/2014 Điều 12.1: 8).
    pub length_min: u16,
    /// Ký tự in hoa (both).
    pub upper: bool,
    /// Ký tự thường (both).
    pub lower: bool,
    /// Ký tự số (Sóc Trăng; Bình Định names none).
    pub digit: bool,
    /// Ký tự đặc biệt (both).
    pub special: bool,
    /// No name, address, unit or birth year of the user (Sóc Trăng 59/2024 Điều 8.1c).
    pub forbid_personal: bool,
    /// No word that passwords are guessed from (ours).
    pub forbid_common: bool,
    /// How many of the last passwords may not come again; 0: any may (ours).
    pub remembered: u16,
    /// Months after which a password is to be changed (Sóc Trăng 59/2024 Điều 8.2c: 6); `None`: never.
    pub change_months: Option<u16>,
    /// Days before the last day on which the user is told (ours).
    pub notice_days: Vec<u16>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            length_min: 8,
            upper: true,
            lower: true,
            digit: true,
            special: true,
            forbid_personal: true,
            forbid_common: true,
            remembered: 5,
            change_months: None,
            notice_days: vec![14, 7, 1],
        }
    }
}

/// Whose password it is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Person<'a> {
    /// Full name, with or without marks.
    pub name: &'a str,
    /// The mailbox's addresses.
    pub addresses: &'a [&'a str],
    /// Names and codes of the user's units.
    pub units: &'a [&'a str],
    pub birth_year: Option<i16>,
}

/// Kinds of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Upper,
    Lower,
    Digit,
    Special,
}

/// Facts about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Personal {
    Name,
    Address,
    Unit,
    BirthYear,
}

/// What is wrong with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Fewer characters than this.
    TooShort(u16),
    /// More than `PASSWORD_BYTES_MAX`.
    TooLong,
    /// Characters that no keyboard types.
    Control,
    Missing(Kind),
    Contains(Personal),
    Common,
    /// One of this many last ones.
    Reused(u16),
}

impl Flaw {
    #[must_use]
    pub fn vietnamese(self) -> String {
        match self {
            Self::TooShort(min) => format!("Mật khẩu phải có ít nhất {min} ký tự."),
            Self::TooLong => "Mật khẩu quá dài.".to_owned(),
            Self::Control => "Mật khẩu có ký tự điều khiển không hợp lệ.".to_owned(),
            Self::Missing(Kind::Upper) => "Mật khẩu phải có chữ in hoa.".to_owned(),
            Self::Missing(Kind::Lower) => "Mật khẩu phải có chữ thường.".to_owned(),
            Self::Missing(Kind::Digit) => "Mật khẩu phải có chữ số.".to_owned(),
            Self::Missing(Kind::Special) => {
                "Mật khẩu phải có ký tự đặc biệt, ví dụ: ! @ # $ % & *".to_owned()
            }
            Self::Contains(Personal::Name) => "Mật khẩu không được chứa họ tên của bạn.".to_owned(),
            Self::Contains(Personal::Address) => "Mật khẩu không được chứa địa chỉ thư điện tử.".to_owned(),
            Self::Contains(Personal::Unit) => "Mật khẩu không được chứa tên hoặc mã đơn vị.".to_owned(),
            Self::Contains(Personal::BirthYear) => "Mật khẩu không được chứa năm sinh.".to_owned(),
            Self::Common => "Mật khẩu quá phổ biến, dễ bị đoán.".to_owned(),
            Self::Reused(last) => format!("Không dùng lại một trong {last} mật khẩu gần nhất."),
        }
    }

    #[must_use]
    pub fn english(self) -> String {
        match self {
            Self::TooShort(min) => format!("A password has at least {min} characters."),
            Self::TooLong => "The password is too long.".to_owned(),
            Self::Control => "The password has control characters.".to_owned(),
            Self::Missing(Kind::Upper) => "A password has an upper-case letter.".to_owned(),
            Self::Missing(Kind::Lower) => "A password has a lower-case letter.".to_owned(),
            Self::Missing(Kind::Digit) => "A password has a digit.".to_owned(),
            Self::Missing(Kind::Special) => {
                "A password has a special character, such as ! @ # $ % & *".to_owned()
            }
            Self::Contains(Personal::Name) => "The password contains your name.".to_owned(),
            Self::Contains(Personal::Address) => "The password contains your address.".to_owned(),
            Self::Contains(Personal::Unit) => "The password contains your unit's name or code.".to_owned(),
            Self::Contains(Personal::BirthYear) => "The password contains your year of birth.".to_owned(),
            Self::Common => "The password is too common and easily guessed.".to_owned(),
            Self::Reused(last) => format!("The password is one of your last {last}."),
        }
    }
}

/// Why a password has to be changed before anything else is done (B2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeReason {
    /// An Giang 63/2016 Điều 7.3; Sóc Trăng 59/2024 Điều 8.1a; Lào Cai 33/2010 Điều 10.1; Thái Nguyên 957/2013 Điều 9.1;
    /// Sở Công Thương Bình Định 148/2014 Điều 12.1.
    FirstLogIn,
    /// A new one was issued (cấp lại mật khẩu).
    Reset,
    /// An Giang 63/2016 Điều 8.2c.
    Unlocked,
    /// The mailbox was changed (An Giang 63/2016 Điều 7.3).
    MailboxChanged,
    /// Sóc Trăng 59/2024 Điều 8.2c.
    Expired,
}

impl ChangeReason {
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::FirstLogIn => "Đổi mật khẩu trong lần đăng nhập đầu tiên.",
            Self::Reset => "Mật khẩu vừa được cấp lại, cần đổi mật khẩu mới.",
            Self::Unlocked => "Hộp thư vừa được khôi phục, cần đổi mật khẩu mới.",
            Self::MailboxChanged => "Hộp thư vừa được thay đổi, cần đổi mật khẩu mới.",
            Self::Expired => "Mật khẩu đã hết hạn, cần đổi mật khẩu mới.",
        }
    }

    #[must_use]
    pub const fn english(self) -> &'static str {
        match self {
            Self::FirstLogIn => "The password is to be changed at the first log-in.",
            Self::Reset => "The password was reset and is to be changed.",
            Self::Unlocked => "The mailbox was restored; its password is to be changed.",
            Self::MailboxChanged => "The mailbox was changed; its password is to be changed.",
            Self::Expired => "The password has expired and is to be changed.",
        }
    }
}

/// Whether a character is of a kind.
type Is = fn(char) -> bool;

/// The one form of a password that is hashed, compared and looked at: keyboards send the same letters composed (NFC) or
/// decomposed.
#[must_use]
pub fn normalised(password: &str) -> String {
    password.nfc().collect()
}

/// Everything that is wrong with `password` as `person`'s; empty when it will do. `reused`: whether it is one of the last
/// `Rules::remembered`, as the keeper of the hashes found.
#[must_use]
pub fn check(password: &str, person: &Person<'_>, reused: bool, rules: &Rules) -> Vec<Flaw> {
    if password.len() > PASSWORD_BYTES_MAX {
        return vec![Flaw::TooLong];
    }
    let password = normalised(password);
    let mut flaws = Vec::new();
    if password.chars().count() < usize::from(rules.length_min) {
        flaws.push(Flaw::TooShort(rules.length_min));
    }
    if password.chars().any(char::is_control) {
        flaws.push(Flaw::Control);
    }
    let kinds: [(bool, Kind, Is); 4] = [
        (rules.upper, Kind::Upper, char::is_uppercase),
        (rules.lower, Kind::Lower, char::is_lowercase),
        (rules.digit, Kind::Digit, |c| c.is_ascii_digit()),
        (rules.special, Kind::Special, |c| !c.is_alphanumeric() && !c.is_control()),
    ];
    let missing = kinds.into_iter().filter(|(asked, _, is)| *asked && !password.contains(*is));
    flaws.extend(missing.map(|(_, kind, _)| Flaw::Missing(kind)));
    let forms = Forms::of(&password);
    if rules.forbid_personal {
        flaws.extend(personal(&forms, person).into_iter().map(Flaw::Contains));
    }
    if rules.forbid_common && forms.is_common() {
        flaws.push(Flaw::Common);
    }
    if reused && rules.remembered > 0 {
        flaws.push(Flaw::Reused(rules.remembered));
    }
    flaws
}

impl Rules {
    /// For people to read, before they choose one.
    #[must_use]
    pub fn vietnamese(&self) -> Vec<String> {
        let rules = [
            (true, format!("có ít nhất {} ký tự", self.length_min)),
            (self.upper, "có chữ in hoa".to_owned()),
            (self.lower, "có chữ thường".to_owned()),
            (self.digit, "có chữ số".to_owned()),
            (self.special, "có ký tự đặc biệt, ví dụ: ! @ # $ % & *".to_owned()),
            (
                self.forbid_personal,
                "không chứa họ tên, địa chỉ thư, tên hoặc mã đơn vị, năm sinh của bạn".to_owned(),
            ),
            (self.forbid_common, "không phải mật khẩu phổ biến".to_owned()),
            (self.remembered > 0, format!("khác {} mật khẩu gần nhất", self.remembered)),
        ];
        rules.into_iter().filter_map(|(holds, text)| holds.then_some(text)).collect()
    }

    /// What fulfils these and `other` alike, as far as people are told.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            length_min: self.length_min.max(other.length_min),
            upper: self.upper || other.upper,
            lower: self.lower || other.lower,
            digit: self.digit || other.digit,
            special: self.special || other.special,
            forbid_personal: self.forbid_personal || other.forbid_personal,
            forbid_common: self.forbid_common || other.forbid_common,
            remembered: self.remembered.max(other.remembered),
            ..self
        }
    }

    /// The last day on which a password set on `changed` may be used; `None`: it does not expire.
    #[must_use]
    pub fn last_day(&self, changed: Date) -> Option<Date> {
        Some(plus_months(changed, self.change_months?))
    }

    #[must_use]
    pub fn is_expired(&self, changed: Date, today: Date) -> bool {
        self.last_day(changed).is_some_and(|last| today > last)
    }

    /// Which of `notice_days` is due; `given`: the one given last for this password. Each once, and none once expired.
    #[must_use]
    pub fn notice(&self, changed: Date, given: Option<u16>, today: Date) -> Option<u16> {
        let left = days_from(today, self.last_day(changed)?);
        let reached = self.notice_days.iter().copied().filter(|days| left <= i64::from(*days)).min()?;
        (left >= 0 && given.is_none_or(|given| given > reached)).then_some(reached)
    }
}

/// A word of this many letters or more is found anywhere in a password; a shorter one only as all letters between
/// others, or "an" would be found everywhere.
const WORD_FOUND_ANYWHERE: usize = 4;

/// A password in the forms in which words are looked for: without marks and case.
struct Forms {
    plain: String,
    /// Letters for the digits and signs that stand for them: p@ssw0rd.
    read: String,
}

impl Forms {
    fn of(password: &str) -> Self {
        let plain = fold_marks(password).to_lowercase();
        let read = plain.chars().map(read_as).collect();
        Self { plain, read }
    }

    fn contains(&self, word: &str) -> bool {
        if word.chars().count() < WORD_FOUND_ANYWHERE {
            return word.chars().count() > 1
                && self.plain.split(|c: char| !c.is_alphabetic()).any(|run| run == word);
        }
        squeezed(&self.plain).contains(word) || squeezed(&self.read).contains(word)
    }

    /// Whether nothing but a well-known word is left without what stands before and behind it.
    fn is_common(&self) -> bool {
        let core = self.plain.trim_matches(|c: char| !c.is_alphabetic());
        let core_read: String = core.chars().map(read_as).collect();
        let forms = [self.plain.as_str(), self.read.as_str(), core, core_read.as_str()];
        // All digits and signs: nothing but a number.
        core.is_empty() || common_words().any(|word| forms.contains(&word))
    }
}

fn common_words() -> impl Iterator<Item = &'static str> {
    include_str!("common_words.txt").lines().filter(|line| !line.starts_with('#'))
}

fn read_as(c: char) -> char {
    match c {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    }
}

/// Letters and digits alone.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// What of the user the password gives away, each kind once.
fn personal(forms: &Forms, person: &Person<'_>) -> Vec<Personal> {
    let plain = |text: &str| fold_marks(text).to_lowercase();
    let words = |text: &str| -> Vec<String> {
        plain(text).split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let mut name = words(person.name);
    name.push(name.concat());
    // The local part, its parts, and the domain's own label: ntbinh-stttt@angiang.gov.vn.
    let addresses = person.addresses.iter().flat_map(|address| {
        let (local, domain) = address.split_once('@').unwrap_or((address, ""));
        let label = domain.split('.').next().unwrap_or_default();
        let mut parts = words(local);
        parts.extend([squeezed(&plain(local)), plain(label)]);
        parts
    });
    let units = person.units.iter().map(|unit| squeezed(&plain(unit)));
    let year = person.birth_year.map(|year| year.to_string());
    [
        (Personal::Name, name.iter().any(|word| forms.contains(word))),
        (Personal::Address, addresses.into_iter().any(|word| forms.contains(&word))),
        (Personal::Unit, units.into_iter().any(|unit| forms.contains(&unit))),
        (Personal::BirthYear, year.is_some_and(|year| forms.plain.contains(&year))),
    ]
    .into_iter()
    .filter_map(|(part, found)| found.then_some(part))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const BINH: Person<'_> = Person {
        name: "Nguyễn Thanh Bình",
        addresses: &["ntbinh02@angiang.gov.vn", "vanthu.sotttt@angiang.gov.vn"],
        units: &["Sở Nội vụ", "snv"],
        birth_year: Some(1985),
    };

    fn flaws(password: &str) -> Vec<Flaw> {
        check(password, &BINH, false, &Rules::default())
    }

    #[test]
    fn length_and_kinds_are_asked_for() {
        use Kind::{Digit, Lower, Special, Upper};
        for (password, expected) in [
            ("Trời#mưa42", vec![]),
            ("ĐỒNG#lúa7", vec![]),
            ("kR8#vQ2!", vec![]),
            ("kR8#vQ2", vec![Flaw::TooShort(8)]),
            ("kr8#vq2!", vec![Flaw::Missing(Upper)]),
            ("KR8#VQ2!", vec![Flaw::Missing(Lower)]),
            ("kRx#vQy!", vec![Flaw::Missing(Digit)]),
            ("kR8xvQ2y", vec![Flaw::Missing(Special)]),
            // A space is a special character; letters with marks are letters.
            ("con Trâu 9 tuổi", vec![]),
            ("kR8#vQ2!\u{7}", vec![Flaw::Control]),
            (
                "",
                vec![
                    Flaw::TooShort(8),
                    Flaw::Missing(Upper),
                    Flaw::Missing(Lower),
                    Flaw::Missing(Digit),
                    Flaw::Missing(Special),
                    Flaw::Common,
                ],
            ),
        ] {
            assert_eq!(flaws(password), expected, "{password}");
        }
    }

    /// Seven characters stay seven, however they are encoded.
    #[test]
    fn characters_are_counted_composed() {
        let decomposed = "E\u{302}\u{301}m8#vq2";
        assert_eq!(decomposed.chars().count(), 9);
        assert_eq!(flaws(decomposed), [Flaw::TooShort(8)]);
        assert_eq!(flaws(&"x".repeat(PASSWORD_BYTES_MAX + 1)), [Flaw::TooLong]);
    }

    #[test]
    fn a_policy_may_ask_for_less() {
        // Sở Công Thương Bình Định names no digit.
        let rules = Rules { digit: false, ..Rules::default() };
        assert_eq!(check("kRx#vQy!", &BINH, false, &rules), []);
        let lax = Rules {
            length_min: 0,
            upper: false,
            lower: false,
            digit: false,
            special: false,
            forbid_personal: false,
            forbid_common: false,
            remembered: 0,
            ..Rules::default()
        };
        assert_eq!(check("binh", &BINH, true, &lax), []);
    }

    #[test]
    fn nothing_personal_is_taken() {
        for (password, expected) in [
            ("Binh@Minh83", vec![Personal::Name]),
            ("xxBÌNHyy#9", vec![Personal::Name]),
            ("B1nh#Minh83", vec![Personal::Name]),
            ("Ng.uy.en#X83k", vec![Personal::Name]),
            ("Ntbinh02#q", vec![Personal::Name, Personal::Address]),
            ("AnGiang#Xk83", vec![Personal::Address]),
            ("Mai#SoTTTT8", vec![Personal::Address]),
            ("So.Noi.Vu#8", vec![Personal::Unit]),
            ("SNV#mua42x", vec![Personal::Unit]),
            ("Troi1985#mua", vec![Personal::BirthYear]),
            ("Troi1986#mua", vec![]),
            // Short words only by themselves.
            ("xSNVx#42mk", vec![]),
        ] {
            let expected: Vec<Flaw> = expected.into_iter().map(Flaw::Contains).collect();
            assert_eq!(flaws(password), expected, "{password}");
        }
        let an = Person { name: "Vũ Thị An", ..Person::default() };
        let of_an = |password| check(password, &an, false, &Rules::default());
        assert_eq!(of_an("An#4827kq"), [Flaw::Contains(Personal::Name)]);
        assert_eq!(of_an("Banquan#4827"), []);
        assert_eq!(of_an("VuThiAn#4827"), [Flaw::Contains(Personal::Name)]);
        assert_eq!(check("Banquan#4827", &Person::default(), false, &Rules::default()), []);
    }

    #[test]
    fn well_known_words_in_disguise_are_refused() {
        for password in [
            "Matkhau@123",
            "MẬTKHẩu@123",
            "P@ssw0rd!",
            "P@$$w0rd2026",
            "Admin@123",
            "Abc@12345",
            "Qwerty#2026",
            "Vietnam@1975",
            "1qaz@WSX",
            "Aa@123456",
            "12345678!",
        ] {
            assert!(flaws(password).contains(&Flaw::Common), "{password}");
        }
        for password in ["Matkhau#cua#Nam7", "Khong1password#dai", "kR8#vQ2!"] {
            assert!(!flaws(password).contains(&Flaw::Common), "{password}");
        }
    }

    #[test]
    fn the_list_can_match() {
        let words: Vec<&str> = common_words().collect();
        assert!(words.len() > 100);
        for word in &words {
            assert_eq!(*word, fold_marks(word).to_lowercase(), "{word}");
            let bent = format!("{}#2026", word.to_uppercase());
            assert!(Forms::of(&bent).is_common(), "{word}");
            assert_eq!(words.iter().filter(|other| *other == word).count(), 1, "{word}");
        }
    }

    #[test]
    fn old_passwords_do_not_come_again() {
        assert_eq!(check("kR8#vQ2!", &BINH, true, &Rules::default()), [Flaw::Reused(5)]);
        let forgetful = Rules { remembered: 0, ..Rules::default() };
        assert_eq!(check("kR8#vQ2!", &BINH, true, &forgetful), []);
    }

    #[test]
    fn passwords_expire_where_policy_says_so() {
        let rules = Rules { change_months: Some(6), ..Rules::default() };
        for (changed, last) in [
            (date(2026, 1, 15), date(2026, 7, 15)),
            (date(2026, 8, 31), date(2027, 2, 28)),
            (date(2027, 8, 31), date(2028, 2, 29)),
        ] {
            assert_eq!(rules.last_day(changed), Some(last));
            assert!(!rules.is_expired(changed, last));
            assert!(rules.is_expired(changed, last.tomorrow().unwrap()));
        }
        assert!(!Rules::default().is_expired(date(1990, 1, 1), date(2026, 1, 1)));
    }

    #[test]
    fn notices_come_once_each() {
        let rules = Rules { change_months: Some(6), ..Rules::default() };
        let changed = date(2026, 1, 15);
        let mut given = None;
        let mut log = Vec::new();
        let mut today = changed;
        while today < date(2026, 9, 1) {
            if let Some(notice) = rules.notice(changed, given, today) {
                log.push((today, notice));
                given = Some(notice);
            }
            today = today.tomorrow().unwrap();
        }
        assert_eq!(log, [(date(2026, 7, 1), 14), (date(2026, 7, 8), 7), (date(2026, 7, 14), 1)]);
        // Three days late, the one that is due comes, and not those before it.
        assert_eq!(rules.notice(changed, None, date(2026, 7, 11)), Some(7));
        assert_eq!(rules.notice(changed, None, date(2026, 7, 16)), None);
        assert_eq!(Rules::default().notice(changed, None, date(2026, 7, 14)), None);
    }

    #[test]
    fn every_flaw_has_words_of_its_own() {
        let mut all = vec![Flaw::TooShort(8), Flaw::TooLong, Flaw::Control, Flaw::Common, Flaw::Reused(5)];
        all.extend([Kind::Upper, Kind::Lower, Kind::Digit, Kind::Special].map(Flaw::Missing));
        let facts = [Personal::Name, Personal::Address, Personal::Unit, Personal::BirthYear];
        all.extend(facts.map(Flaw::Contains));
        for say in [Flaw::vietnamese, Flaw::english] {
            let words: std::collections::BTreeSet<String> = all.iter().map(|flaw| say(*flaw)).collect();
            assert_eq!(words.len(), all.len());
        }
    }
}
