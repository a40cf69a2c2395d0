//! Which country an address is in, by tables that somebody else keeps (docs/adr/0026): for log-ins that come from far away.
//!
//! Invariants: a table is as large as its ranges and no larger, and is asked by binary search; of several tables the later one
//! holds; own networks, and whatever no table has, are in no country; nothing is ever guessed.

use crate::Network;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

/// What tables write where they know no country.
const UNKNOWN: [&str; 2] = ["??", "ZZ"];
/// Lines of one table: Debian's has 390,000 for IPv4, 280,000 for IPv6.
const LINES_MAX: usize = 4_000_000;

/// A country or territory by the two letters of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(NonZeroU16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a country is two capital letters, such as VN")]
pub struct CountryError;

impl Country {
    /// Việt Nam.
    pub const VN: Self = match NonZeroU16::new(u16::from_be_bytes(*b"VN")) {
        Some(code) => Self(code),
        None => Self(NonZeroU16::MIN),
    };

    /// Somewhere on the Internet that no table knows: ISO 3166-1 leaves these letters to everybody, and no policy can name them.
    pub const UNKNOWN: Self = match NonZeroU16::new(u16::from_be_bytes(*b"ZZ")) {
        Some(code) => Self(code),
        None => Self(NonZeroU16::MIN),
    };

    /// Is it in the list of countries, or only something that a table says?
    #[must_use]
    pub fn is_listed(self) -> bool {
        self.names().is_some()
    }

    /// Its two letters where it is in no list.
    #[must_use]
    pub fn vietnamese(self) -> String {
        match self {
            Self::UNKNOWN => "nơi không rõ quốc gia".to_owned(),
            _ => self.names().map_or_else(|| self.to_string(), |(vietnamese, _)| vietnamese.to_owned()),
        }
    }

    #[must_use]
    pub fn english(self) -> String {
        match self {
            Self::UNKNOWN => "an unknown country".to_owned(),
            _ => self.names().map_or_else(|| self.to_string(), |(_, english)| english.to_owned()),
        }
    }

    fn names(self) -> Option<(&'static str, &'static str)> {
        let code = self.to_string();
        let rest = include_str!("countries.txt").lines().find_map(|line| line.strip_prefix(&code))?;
        rest.trim_start_matches('\t').split_once('\t')
    }
}

impl fmt::Display for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.get().to_be_bytes().iter().try_for_each(|letter| write!(out, "{}", char::from(*letter)))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl std::str::FromStr for Country {
    type Err = CountryError;
    fn from_str(text: &str) -> Result<Self, CountryError> {
        let &[first, second] = text.as_bytes() else { return Err(CountryError) };
        if !first.is_ascii_uppercase() || !second.is_ascii_uppercase() {
            return Err(CountryError);
        }
        NonZeroU16::new(u16::from_be_bytes([first, second])).map(Self).ok_or(CountryError)
    }
}

impl serde::Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Country {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a table is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error(
        "line {0} is not like 16777216,16777471,AU or 2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP"
    )]
    Line(usize),
    #[error("the addresses from {0} on are in two lines")]
    Twice(IpAddr),
    #[error("it has more than {LINES_MAX} lines")]
    TooLong,
    #[error("there is no address in it")]
    Empty,
}

/// Countries by address.
#[derive(Clone, Default)]
pub struct Countries {
    /// In their order: the last that knows an address holds.
    tables: Vec<Table>,
    own: Vec<Network>,
}

#[derive(Clone)]
struct Table {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// What begins at each address; up to the next one.
#[derive(Clone)]
struct Ranges<A> {
    begins: Vec<A>,
    countries: Vec<Option<Country>>,
}

/// A line of a table: both ends belong to it.
type Line<A> = (A, A, Option<Country>);

impl Countries {
    /// `own`: networks in no country, whatever tables say.
    #[must_use]
    pub const fn new(own: Vec<Network>) -> Self {
        Self { tables: Vec::new(), own }
    }

    /// Reads one more table, in the form of Debian's `tor-geoipdb`: lines of first address, last address and country, of IPv4 as
    /// whole numbers or with dots, of IPv6 with colons; `#` begins a comment. It holds before those read so far.
    ///
    /// # Errors
    /// See [`TableError`]; nothing of it is used then.
    pub fn add_table(&mut self, text: &str) -> Result<(), TableError> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (at, line) in text.lines().enumerate() {
            if at >= LINES_MAX {
                return Err(TableError::TooLong);
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match read(line).ok_or(TableError::Line(at + 1))? {
                (IpAddr::V4(low), IpAddr::V4(high), country) => {
                    v4.push((u32::from(low), u32::from(high), country));
                }
                (IpAddr::V6(low), IpAddr::V6(high), country) => {
                    v6.push((u128::from(low), u128::from(high), country));
                }
                _ => return Err(TableError::Line(at + 1)),
            }
        }
        if v4.is_empty() && v6.is_empty() {
            return Err(TableError::Empty);
        }
        let v4 = Ranges::new(v4, |low| low.checked_add(1))
            .map_err(|at| TableError::Twice(IpAddr::V4(at.into())))?;
        let v6 = Ranges::new(v6, |low| low.checked_add(1))
            .map_err(|at| TableError::Twice(IpAddr::V6(at.into())))?;
        self.tables.push(Table { v4, v6 });
        Ok(())
    }

    /// Is there a table at all?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Ranges that it knows, of all tables, each told from its neighbours by its country.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.tables.iter().map(|table| table.v4.len() + table.v6.len()).sum()
    }

    /// Is it in a network of our own?
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.own.iter().any(|network| network.contains(address.to_canonical()))
    }

    /// Does any table know addresses of IPv4, and any of IPv6?
    #[must_use]
    pub fn families(&self) -> (bool, bool) {
        let any = |knows: fn(&Table) -> bool| self.tables.iter().any(knows);
        (any(|table| table.v4.len() > 0), any(|table| table.v6.len() > 0))
    }

    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<Country> {
        let address = address.to_canonical();
        if self.is_own(address) {
            return None;
        }
        self.tables.iter().rev().find_map(|table| match address {
            IpAddr::V4(v4) => table.v4.of(v4.into()),
            IpAddr::V6(v6) => table.v6.of(v6.into()),
        })
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Countries({} ranges)", self.ranges())
    }
}

impl<A: Copy + Ord> Ranges<A> {
    /// # Errors
    /// With the first address that is in two lines.
    fn new(mut lines: Vec<Line<A>>, after: fn(A) -> Option<A>) -> Result<Self, A> {
        lines.sort_unstable_by_key(|(low, _, _)| *low);
        let mut ranges = Self { begins: Vec::new(), countries: Vec::new() };
        let mut last: Option<A> = None;
        for (low, high, country) in lines {
            if last.is_some_and(|last| low <= last) {
                return Err(low);
            }
            // Between two lines nothing is known.
            if let Some(gap) = last.and_then(after).filter(|gap| *gap < low) {
                ranges.begin(gap, None);
            }
            ranges.begin(low, country);
            last = Some(high);
        }
        if let Some(end) = last.and_then(after) {
            ranges.begin(end, None);
        }
        ranges.begins.shrink_to_fit();
        ranges.countries.shrink_to_fit();
        Ok(ranges)
    }

    fn begin(&mut self, at: A, country: Option<Country>) {
        if self.countries.last().copied().flatten() != country || self.countries.is_empty() {
            self.begins.push(at);
            self.countries.push(country);
        }
    }

    fn of(&self, address: A) -> Option<Country> {
        let at = self.begins.partition_point(|begin| *begin <= address).checked_sub(1)?;
        self.countries.get(at).copied().flatten()
    }

    fn len(&self) -> usize {
        self.countries.iter().flatten().count()
    }
}

fn read(line: &str) -> Option<Line<IpAddr>> {
    let (low, rest) = line.split_once(',')?;
    let (high, country) = rest.split_once(',')?;
    let (low, high) = (address(low)?, address(high)?);
    let country = if UNKNOWN.contains(&country) { None } else { Some(country.parse().ok()?) };
    (low <= high && low.is_ipv4() == high.is_ipv4()).then_some((low, high, country))
}

fn address(text: &str) -> Option<IpAddr> {
    let number = text.parse::<u32>().ok().map(|number| IpAddr::V4(number.into()));
    number.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# comment\n\n16777216,16777471,AU\n16777472,16778239,CN\n16778240,16779263,CN\n\
                         203.113.128.0,203.113.191.255,VN\n4294967040,4294967295,RU\n1,9,??\n\
                         2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n";

    fn countries(tables: &[&str]) -> Countries {
        let mut countries = Countries::new(vec!["203.113.190.0/24".parse().unwrap()]);
        tables.iter().for_each(|table| countries.add_table(table).unwrap());
        countries
    }

    #[track_caller]
    fn check(countries: &Countries, address: &str, country: &str) {
        let found = countries.of(address.parse().unwrap()).map(|country| country.to_string());
        assert_eq!(found.as_deref().unwrap_or("-"), country, "{address}");
    }

    #[test]
    fn an_address_is_in_the_country_of_its_range_and_in_none_between_them() {
        let countries = countries(&[TABLE]);
        for (address, country) in [
            ("0.0.0.0", "-"),
            ("0.0.0.5", "-"),
            ("0.255.255.255", "-"),
            ("1.0.0.0", "AU"),
            ("1.0.0.255", "AU"),
            ("1.0.1.0", "CN"),
            ("1.0.7.255", "CN"),
            ("1.0.8.0", "-"),
            ("::ffff:1.0.8.0", "-"),
            ("::ffff:1.0.7.0", "CN"),
            ("203.113.127.255", "-"),
            ("203.113.130.7", "VN"),
            ("203.113.190.7", "-"),
            ("255.255.255.255", "RU"),
            ("2001:1ff:ffff::1", "-"),
            ("2001:200::1", "JP"),
            ("2001:201::", "-"),
        ] {
            check(&countries, address, country);
        }
        assert_eq!(countries.ranges(), 5, "neighbours of one country are one");
        check(&Countries::default(), "1.0.0.0", "-");
        assert!(countries.is_own("::ffff:203.113.190.7".parse().unwrap()));
        assert_eq!((countries.families(), Countries::default().families()), ((true, true), (false, false)));
    }

    #[test]
    fn of_two_tables_the_later_one_holds_where_it_says_something() {
        let countries = countries(&[TABLE, "1.0.1.0,1.0.1.255,VN\n203.113.128.0,203.113.128.255,??"]);
        check(&countries, "1.0.1.7", "VN");
        check(&countries, "1.0.2.7", "CN");
        check(&countries, "203.113.128.1", "VN");
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let add = |text: &str| Countries::default().add_table(text).unwrap_err();
        for wrong in [
            "1,2",
            "1,2,VNM",
            "1,2,vn",
            "2,1,VN",
            "1,4294967296,VN",
            "-1,2,VN",
            "1,::2,VN",
            "a,b,VN",
            "1,2,VN,",
            "1;2;VN",
        ] {
            assert_eq!(add(&format!("# x\n{wrong}\n")), TableError::Line(2), "{wrong}");
        }
        assert_eq!(add("5,9,VN\n1,5,LA\n"), TableError::Twice("0.0.0.5".parse().unwrap()));
        assert_eq!(add("::5,::9,VN\n::5,::5,VN\n"), TableError::Twice("::5".parse().unwrap()));
        assert_eq!(add("# nothing\n"), TableError::Empty);
        assert_eq!(add(&"#\n".repeat(LINES_MAX + 1)), TableError::TooLong);
    }

    #[test]
    fn countries_have_names_in_both_languages() {
        let of = |code: &str| code.parse::<Country>().unwrap();
        assert_eq!((Country::VN.to_string(), Country::VN.vietnamese()), ("VN".into(), "Việt Nam".into()));
        assert_eq!((of("DE").vietnamese(), of("DE").english()), ("Đức".into(), "Germany".into()));
        assert_eq!((of("XY").vietnamese(), of("XY").is_listed()), ("XY".into(), false));
        let unknown = Country::UNKNOWN;
        assert_eq!((unknown.english(), unknown.is_listed()), ("an unknown country".into(), false));
        let lines = include_str!("countries.txt").lines().filter(|line| !line.starts_with('#'));
        let mut codes: Vec<&str> = lines.map(|line| line.split('\t').next().unwrap()).collect();
        assert!(codes.iter().all(|code| of(code).is_listed()));
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!((count, codes.len()), (250, 250));
        for wrong in ["", "V", "vn", "VNM", "??", "Đ"] {
            assert_eq!(wrong.parse::<Country>(), Err(CountryError), "{wrong}");
        }
    }

    /// As large as Debian's tables: the time to read them and what they take are in the output.
    #[test]
    fn a_table_of_the_world_is_small() {
        let mut text = String::new();
        for n in 0..400_000_u32 {
            let country = ["VN", "LA", "KH"][n as usize % 3];
            text += &format!("{},{},{country}\n", n * 10_000, n * 10_000 + 9_999);
        }
        let mut countries = Countries::default();
        countries.add_table(&text).unwrap();
        assert_eq!(countries.ranges(), 400_000);
        let bytes =
            countries.tables[0].v4.begins.capacity() * 4 + countries.tables[0].v4.countries.capacity() * 2;
        assert!(bytes < 2_500_000, "{bytes}");
        check(&countries, "0.0.39.16", "LA");
    }
}
