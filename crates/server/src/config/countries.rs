//! The tables that say which country an address is in, read as a whole at the start and at each reload.

use super::{Config, ConfigError};
use model::{Cloud, Countries};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Debian's table for IPv6 has 16 MB.
const TABLE_BYTES_MAX: u64 = 128 << 20;

/// Where people log in from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks {
    /// Tables of countries, of which a later one holds before those that stand before it.
    pub(crate) countries: Vec<PathBuf>,
    pub(crate) own: Vec<model::Network>,
}

impl Config {
    /// Whose servers log in for mail programs: those of the file, or the ones that are known by what they call themselves.
    pub(crate) fn clouds(&self) -> Vec<Cloud> {
        if self.clouds.is_empty() { Cloud::known() } else { self.clouds.clone() }
    }

    pub(super) fn cloud(&mut self) -> Result<&mut Cloud, String> {
        self.clouds.last_mut().ok_or_else(|| "belongs in a [[cloud]]".to_owned())
    }

    /// What `[networks]` says of countries; none of them where it says nothing.
    ///
    /// # Errors
    /// When a table cannot be read; the text says what to do.
    pub(crate) fn countries(&self) -> Result<Countries, ConfigError> {
        let mut countries = Countries::new(self.networks.own.clone());
        for file in &self.networks.countries {
            let text = crate::given::read_text(file, TABLE_BYTES_MAX).map_err(|error| {
                ConfigError(format!("cannot read the table of countries {}", unread(file, &error)))
            })?;
            countries.add_table(&text).map_err(|error| {
                ConfigError(format!("the table of countries {}: {error}", file.display()))
            })?;
        }
        Ok(countries)
    }
}

fn unread(file: &Path, error: &std::io::Error) -> String {
    let mend = match error.kind() {
        ErrorKind::NotFound => {
            "check the path; Debian's are in the package tor-geoipdb (apt-get install tor-geoipdb)"
        }
        ErrorKind::PermissionDenied => "let the user congthu read it and every directory above it",
        _ => "check the file",
    };
    format!("{}: {error}; {mend}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn countries(files: &[(&str, &str)]) -> Result<Countries, String> {
        let directory = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        for (name, text) in files {
            if !text.is_empty() {
                std::fs::write(directory.path().join(name), text).unwrap();
            }
            names.push(format!("{name:?}"));
        }
        let file = directory.path().join("congthu.toml");
        let text = format!("[networks]\ncountries = [{}]\nown = [\"203.0.113.0/24\"]\n", names.join(", "));
        std::fs::write(&file, text).unwrap();
        let place = directory.path().display().to_string();
        Config::load(Some(&file)).unwrap().countries().map_err(|error| error.to_string().replace(&place, ""))
    }

    #[test]
    fn tables_are_read_in_their_order_and_own_networks_have_no_country() {
        let of = |countries: &Countries, address: &str| countries.of(address.parse().unwrap());
        let read =
            countries(&[("all", "1.0.0.0,223.255.255.255,RU\n"), ("ours", "14.160.0.0,14.191.255.255,VN\n")]);
        let read = read.unwrap();
        assert_eq!(of(&read, "14.160.0.1"), Some(model::Country::VN));
        assert_eq!(of(&read, "14.192.0.1"), Some("RU".parse().unwrap()));
        assert_eq!(of(&read, "203.0.113.7"), None);
        assert!(Config::parse("", "x").unwrap().countries().unwrap().is_empty());
    }

    #[test]
    fn a_table_that_is_not_there_or_is_none_is_named_with_what_to_do() {
        assert_eq!(
            countries(&[("geoip", "")]).unwrap_err(),
            "cannot read the table of countries /geoip: No such file or directory (os error 2); check the path; Debian's are in the \
             package tor-geoipdb (apt-get install tor-geoipdb)"
        );
        assert_eq!(
            countries(&[("geoip", "# x\n1,2,VN\n1.2.3.4 VN\n")]).unwrap_err(),
            "the table of countries /geoip: line 3 is not like 16777216,16777471,AU or 2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP"
        );
    }

    /// Debian's own, which `tests/run` installs.
    #[test]
    fn debians_tables_are_read() {
        let config = "[networks]\ncountries = [\"/usr/share/tor/geoip\", \"/usr/share/tor/geoip6\"]\n";
        let countries = Config::parse(config, "x").unwrap().countries().unwrap();
        let of = |address: &str| countries.of(address.parse().unwrap()).map(|country| country.to_string());
        assert_eq!(of("203.113.131.1").as_deref(), Some("VN"));
        assert_eq!(of("2405:4800::1").as_deref(), Some("VN"));
        assert_eq!(of("193.0.6.139").as_deref(), Some("NL"));
    }
}
