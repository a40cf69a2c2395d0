//! The section of a policy that says what is made of log-ins from where a mailbox is not used (requirements D7).
//!
//! No text speaks of countries: the default warns and stops nobody, as people travel.

use super::field::{Field, section};
use super::value::{Value, choice, joined, length, parts, shown_list};
use super::{Measure, Policy};
use crate::Country;
use serde::{Deserialize, Serialize};

choice! {
    /// What becomes of a log-in from a country that the mailbox was not used from lately.
    NewCountry {
        /// Its owner is told.
        Warn "warn" "báo cho chủ hộp thư";
        /// And the mailbox may send less for some time.
        Throttle "throttle" "báo và hạn chế gửi thư một thời gian";
        /// Told as well; from countries that are not allowed nobody is let in at all.
        Refuse "refuse" "báo; từ chối nếu ngoài các quốc gia được phép";
    }
}

choice! {
    /// What becomes of a log-in by the servers of a mail program's maker ([`crate::Cloud`]).
    CloudLogins {
        Allow "allow" "cho phép";
        /// The mailbox's owner is told, once.
        Warn "warn" "cho phép và nhắc chủ hộp thư";
        /// He is told as well.
        Refuse "refuse" "từ chối và nhắc chủ hộp thư";
    }
}

section! {
    /// Đăng nhập.
    Logins login LOGIN {
        new_country: NewCountry = NewCountry::Warn, Plain 0..=0, "Đăng nhập từ quốc gia mới", "D7";
        /// For how long after a log-in its country is one that the mailbox is used from; 1 to 730.
        country_days: u32 = 180, Days 1..=730, "Quốc gia là mới nếu không đăng nhập từ đó trong", "D7";
        /// Where people may log in from, where `new_country` says `refuse`; 1 to 250.
        countries: Vec<Country> = vec![Country::VN], Plain 1..=250, "Quốc gia được phép đăng nhập", "D7";
        /// The unit's officers and the centre are told beside the mailbox's owner.
        tell_officers: bool = true, Plain 0..=0, "Báo cả đầu mối đơn vị và trung tâm khi đăng nhập từ quốc gia mới", "D7";
        /// Programs that hand the password to their maker's servers, outside the country: Outlook (new), Outlook for telephones.
        clouds: CloudLogins = CloudLogins::Warn, Plain 0..=0, "Đăng nhập qua máy chủ của hãng phần mềm thư", "B11";
    }
}

impl Value for Vec<Country> {
    fn text(&self) -> String {
        joined(self.iter().map(ToString::to_string))
    }
    fn parse(text: &str) -> Option<Self> {
        parts(text).map(|part| part.parse().ok().filter(|country: &Country| country.is_listed())).collect()
    }
    fn shown(&self, _: Measure) -> String {
        shown_list(self.iter().map(|country| country.vietnamese()))
    }
    fn form(_: Measure, min: u32, max: u32) -> String {
        format!("{min} to {max} countries by their codes (VN), with commas between")
    }
    fn within(&self, min: u32, max: u32) -> bool {
        length(self.len()).within(min, max)
    }
}

impl Policy {
    /// Is nobody let in from there? From where is unknown nobody is, where countries are named.
    #[must_use]
    pub fn refuses_log_ins_from(&self, country: Country) -> bool {
        self.login.new_country == NewCountry::Refuse && !self.login.countries.contains(&country)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SetError;

    #[test]
    fn countries_are_real_ones_and_refuse_only_where_that_is_asked_for() {
        let mut policy = Policy::default();
        let laos = "LA".parse().unwrap();
        assert!(!policy.refuses_log_ins_from(laos));
        policy.set("login.new_country", "refuse").unwrap();
        assert!(policy.refuses_log_ins_from(laos) && !policy.refuses_log_ins_from(Country::VN));
        assert!(policy.refuses_log_ins_from(Country::UNKNOWN));
        policy.set("login.countries", "VN, LA").unwrap();
        assert!(!policy.refuses_log_ins_from(laos));
        let field = Policy::field("login.countries").unwrap();
        assert_eq!((field.text(&policy), field.shown(&policy)), ("VN,LA".into(), "Việt Nam, Lào".into()));
        for wrong in ["vn", "VNM", "XY", "ZZ", "VN;LA"] {
            assert_eq!(policy.set("login.countries", wrong), Err(SetError::Form), "{wrong}");
        }
        assert_eq!(policy.set("login.countries", ""), Err(SetError::Range), "else nobody could log in");
    }
}
