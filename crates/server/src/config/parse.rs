//! Text to [`Config`], through the rows of [`super::defs`].
//!
//! Invariant: every error has the file and, where there is one, the line.

use super::defs::{Definition, Fallback, TABLES, Table, definitions};
use super::{Config, ConfigError};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl Config {
    /// `source` names the text in errors.
    ///
    /// # Errors
    /// When the text is not TOML, has an unknown key or table, or a value that its option refuses.
    pub(crate) fn parse(text: &str, source: &str) -> Result<Self, ConfigError> {
        let at = |span: Range<usize>| format!("{source} line {}", line(text, span.start));
        let root = DeTable::parse(text).map_err(|error| {
            ConfigError(format!("{}: {}", at(error.span().unwrap_or_default()), error.message()))
        })?;
        let mut config = Self::default();
        for table in TABLES.iter().filter(|table| table.begin.is_none()) {
            apply_fallbacks(&mut config, table);
        }
        read_root(&mut config, root.get_ref())
            .map_err(|(span, what)| ConfigError(format!("{}: {what}", at(span))))?;
        config.check().map_err(|what| ConfigError(format!("{source}: {what}")))?;
        Ok(config)
    }
}

/// A mistake and where it is.
type Mistake = (Range<usize>, String);

fn read_root(config: &mut Config, root: &DeTable<'_>) -> Result<(), Mistake> {
    for (key, value) in root {
        let table =
            TABLES.iter().find(|table| !table.name.is_empty() && table.name == key.get_ref().as_ref());
        match (table, value.get_ref()) {
            (Some(Table { begin: None, name, .. }), DeValue::Table(entries)) => {
                read_table(config, name, entries)?;
            }
            (Some(table @ Table { begin: Some(begin), .. }), DeValue::Array(elements)) => {
                for element in elements {
                    begin(config);
                    apply_fallbacks(config, table);
                    let Some(entries) = element.get_ref().as_table() else {
                        return Err((element.span(), format!("write [[{}]] above its keys", table.name)));
                    };
                    read_table(config, table.name, entries)?;
                    require_all(table, entries).map_err(|what| (element.span(), what))?;
                }
            }
            (Some(Table { begin: None, name, .. }), _) => {
                return Err((key.span(), format!("{name} is a table: write [{name}] above its keys")));
            }
            (Some(Table { name, .. }), _) => {
                return Err((
                    key.span(),
                    format!("{name} may come several times: write [[{name}]] above its keys"),
                ));
            }
            (None, DeValue::Table(_) | DeValue::Array(_)) if is_table_like(value.get_ref()) => {
                let known = known_names(TABLES.iter().map(|table| table.name));
                let hint =
                    nearest(key.get_ref()).map(|name| format!(", did you mean {name}?")).unwrap_or_default();
                return Err((key.span(), format!("unknown table [{}]{hint}; known: {known}", key.get_ref())));
            }
            (None, value) => {
                read_option(config, "", key.get_ref(), value).map_err(|what| (key.span(), what))?;
            }
        }
    }
    Ok(())
}

/// A table, or several of one name.
fn is_table_like(value: &DeValue<'_>) -> bool {
    let is_table = |element: &Spanned<DeValue<'_>>| element.get_ref().as_table().is_some();
    value.as_table().is_some() || value.as_array().is_some_and(|list| list.iter().any(is_table))
}

/// The table that was probably meant: one letter more, less, or another, or two in the wrong order.
fn nearest(name: &str) -> Option<&'static str> {
    let mut known = TABLES.iter().map(|table| table.name).filter(|known| !known.is_empty());
    known.find(|known| {
        let same_end =
            |a: &str, b: &str| a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
        let same_start = known.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        let longer = known.len().max(name.len());
        known.len().abs_diff(name.len()) <= 1
            && same_start + same_end(known, name) + 2 >= longer
            && same_start > 0
    })
}

fn read_table(config: &mut Config, table: &str, entries: &DeTable<'_>) -> Result<(), Mistake> {
    for (key, value) in entries {
        read_option(config, table, key.get_ref(), value.get_ref()).map_err(|what| (key.span(), what))?;
    }
    Ok(())
}

fn read_option(config: &mut Config, table: &str, key: &str, value: &DeValue<'_>) -> Result<(), String> {
    let place = if table.is_empty() { "before the first table".to_owned() } else { format!("in [{table}]") };
    let Some(definition) = of_table(table).find(|definition| definition.key == key) else {
        let known = known_names(of_table(table).map(|definition| definition.key));
        return Err(format!("unknown key {key:?} {place}; known: {known}"));
    };
    (definition.set)(config, value).map_err(|what| format!("{key} {place}: {what}"))
}

fn apply_fallbacks(config: &mut Config, table: &Table) {
    for definition in of_table(table.name) {
        if let Fallback::Value(text) = definition.fallback {
            let value = DeValue::parse(text).map_err(|error| error.to_string());
            let set = value.and_then(|value| (definition.set)(config, value.get_ref()));
            debug_assert!(set.is_ok(), "the default of {} is wrong: {set:?}", definition.key);
        }
    }
}

fn require_all(table: &Table, entries: &DeTable<'_>) -> Result<(), String> {
    let given = |key: &str| entries.keys().any(|given: &Spanned<_>| given.get_ref().as_ref() == key);
    let missing = of_table(table.name)
        .find(|definition| matches!(definition.fallback, Fallback::Required) && !given(definition.key));
    match missing {
        Some(definition) => Err(format!(
            "[[{}]] has no {}: add one, such as {}",
            table.name, definition.key, definition.example
        )),
        None => Ok(()),
    }
}

pub(super) fn of_table(table: &str) -> impl Iterator<Item = &'static Definition> {
    definitions().filter(move |definition| definition.table == table)
}

fn known_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::super::{Bind, Protocol, TlsMode};
    use super::*;

    fn mistake(text: &str) -> String {
        Config::parse(text, "x.toml").unwrap_err().to_string()
    }

    #[test]
    fn nothing_written_means_the_defaults() {
        let config = Config::parse("", "x.toml").unwrap();
        assert_eq!(config.data_dir.to_str(), Some("/var/lib/congthu"));
        assert_eq!(config.limits.message_bytes_max, 70 << 20);
        let ports: Vec<String> = config.listener_specs().iter().map(|spec| spec.bind.to_string()).collect();
        assert_eq!(ports, ["*:25", "*:587", "*:465", "*:143", "*:993", "*:4190", "127.0.0.1:8080", "*:443"]);
    }

    #[test]
    fn reads_listeners() {
        let text = "[[listener]]\nprotocol='smtp'\nbind='127.0.0.1:2525'\n[[listener]]\nprotocol='imap'\nbind='*:993'\ntls='implicit'\n";
        let specs = Config::parse(text, "x.toml").unwrap().listener_specs();
        assert_eq!(specs.len(), 2);
        assert_eq!((specs[0].protocol, specs[0].tls), (Protocol::Smtp, TlsMode::StartTls));
        assert_eq!((specs[1].bind, specs[1].tls), (Bind::All(993), TlsMode::Implicit));
    }

    #[test]
    fn what_asks_for_no_password_stays_on_this_machine_unless_allowed() {
        for protocol in ["lmtp", "http"] {
            let listener = |bind: &str| format!("[[listener]]\nprotocol='{protocol}'\nbind='{bind}'\n");
            for open in ["*:2424", "0.0.0.0:2424", "192.0.2.1:2424", "[::]:2424"] {
                assert!(mistake(&listener(open)).contains("allow_remote = true"), "{protocol} {open}");
                Config::parse(&(listener(open) + "allow_remote = true"), "x.toml").unwrap();
            }
            Config::parse(&listener("127.0.0.1:2424"), "x.toml").unwrap();
        }
        assert!(
            mistake("[[listener]]\nprotocol='lmtp'\nbind='*:1'\nallow_remote='yes'")
                .contains("wants true or false")
        );
    }

    #[test]
    fn mistakes_have_their_line() {
        assert!(
            mistake("hostname = 'a.vn'\n\nhostnam = 'b'\n")
                .starts_with("x.toml line 3: unknown key \"hostnam\"")
        );
        assert!(
            mistake("\n[limit]\n")
                .starts_with("x.toml line 2: unknown table [limit], did you mean limits?; known: database,")
        );
        assert!(
            mistake("[[listner]]\nbind='*:1'").contains("unknown table [listner], did you mean listener?")
        );
        assert!(mistake("[tabel]\na=1").contains("unknown table [tabel]; known"));
        let smtp = |bind: &str| format!("[[listener]]\nprotocol='smtp'\nbind='{bind}'\n");
        assert!(mistake(&(smtp("*:25") + &smtp("127.0.0.1:25"))).contains("want the same port"));
        assert!(
            mistake("[limits]\nmessage_size = 'big'")
                .contains("line 2: message_size in [limits]: \"big\" is not a size")
        );
        assert!(mistake("a = \n").starts_with("x.toml line 1: "));
        assert!(mistake("[[listener]]\nprotocol='smtp'\n").contains("line 1: [[listener]] has no bind"));
        assert!(mistake("[listener]\nprotocol='smtp'\n").contains("write [[listener]]"));
        assert!(mistake("[[listener]]\nprotocol='pop3'\nbind='*:1'").contains("not one of smtp, submission"));
        assert!(mistake("[tls]\nkey='a'").contains("give both"));
        assert!(mistake("[database]\nurl='a'\nurl_file='b'").contains("keep one"));
        assert!(
            mistake("[limits]\nmessage_size = '3000GB'").contains("line 2: message_size in [limits]: wants")
        );
        assert!(mistake("[limits]\nmessage_size = '201MB'").contains("to 200MB"));
        assert!(mistake("[limits]\nmessage_size = 10").contains("from 64KB"));
        assert!(mistake("[limits]\nimap_connections = 1000000").contains("from 1 to 200000"));
        assert!(mistake("[dns]\ndnssec = false").contains(r#"wants "on" or "off""#));
        assert!(mistake("[dns]\ndnssec = 'off'\nanchors = 'a'").contains("keep one"));
        assert!(mistake("hostname = 5").contains("wants text in quotes"));
        assert!(!mistake("[log]\nfilter=''").contains('\n'));
    }
}
