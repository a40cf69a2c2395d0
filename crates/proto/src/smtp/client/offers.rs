//! What a server offers, from its reply to EHLO (RFC 5321 4.1.1.1).

/// The extensions we make use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// RFC 2920
    pub pipelining: bool,
    /// RFC 1870: octets of the largest message; `None` when it does not say, or says there is no limit.
    pub size_max: Option<u64>,
    /// RFC 1870: `SIZE=` may be said.
    pub size: bool,
    /// RFC 6152
    pub eight_bit: bool,
    /// RFC 6531
    pub smtputf8: bool,
    /// RFC 3207
    pub starttls: bool,
    /// RFC 3461
    pub dsn: bool,
    /// RFC 3030
    pub chunking: bool,
    /// RFC 8689
    pub requiretls: bool,
}

impl Offers {
    /// From the reply's lines; the first is the server's name. Unknown keywords are passed over.
    pub(super) fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "PIPELINING" => offers.pipelining = true,
                "SIZE" => {
                    offers.size = true;
                    // RFC 1870 4: zero, or nothing, is no limit.
                    offers.size_max =
                        words.next().and_then(|word| word.parse().ok()).filter(|size| *size > 0);
                }
                "8BITMIME" => offers.eight_bit = true,
                "SMTPUTF8" => offers.smtputf8 = true,
                "STARTTLS" => offers.starttls = true,
                "DSN" => offers.dsn = true,
                "CHUNKING" => offers.chunking = true,
                "REQUIRETLS" => offers.requiretls = true,
                _ => {}
            }
        }
        offers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_read_in_any_case() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let offers =
            Offers::read(&lines("mx.a.vn hi\npipelining\nSize 1000\n8bitmime\nX-NEW 1\nAUTH=PLAIN\n"));
        assert!(offers.pipelining && offers.eight_bit && offers.size && !offers.dsn);
        assert_eq!(offers.size_max, Some(1000));
        for none in ["a\nSIZE 0", "a\nSIZE", "a\nSIZE x", "SIZE 5"] {
            assert_eq!(Offers::read(&lines(none)).size_max, None, "{none}");
        }
        let all = Offers::read(&lines("a\nSMTPUTF8\nSTARTTLS\nDSN\nCHUNKING\nREQUIRETLS"));
        assert!(all.smtputf8 && all.starttls && all.dsn && all.chunking && all.requiretls);
    }
}
