//! `congthu check`: what is wrong with this installation, and how to mend it.
//!
//! Invariants: it looks and changes nothing (an embedded Postgres that does not run is started for the look, as any command
//! does); each finding is one line, and what is to be mended first stands last, above the number of such lines; what cannot be found
//! out is a finding, never a reason to stop looking.

mod address_lists;
mod certificates;
mod database;
mod domain_names;
mod machine;
mod policy_records;
mod ports;
mod proofs;
mod road_out;
mod scanners;
mod sender_records;
mod tls;
mod upkeep;

pub(crate) use domain_names::key_is_published;
pub(crate) use policy_records::id as policy_id;

use crate::config::Config;
use anyhow::{Context as _, Result, bail};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;

/// Domains and keys whose names are asked for at once.
const AT_ONCE: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    area: &'static str,
    level: Level,
    /// What was found.
    what: String,
    /// What to do about it; empty where all is well.
    mend: String,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, area: &'static str, what: impl Into<String>) {
        self.0.push(Finding { area, level: Level::Ok, what: what.into(), mend: String::new() });
    }

    fn warn(&mut self, area: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { area, level: Level::Warning, what: what.into(), mend: mend.into() });
    }

    fn error(&mut self, area: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { area, level: Level::Error, what: what.into(), mend: mend.into() });
    }

    /// What `look` finds of each, in their order; several are looked at at once, as a name server that does not answer takes
    /// seconds for every question.
    async fn of_each<T>(&mut self, all: impl Iterator<Item = T>, look: impl AsyncFn(T, &mut Self)) {
        let look = &look;
        let found = stream::iter(all).map(async |one| {
            let mut of_one = Self::default();
            look(one, &mut of_one).await;
            of_one
        });
        let mut found = std::pin::pin!(found.buffered(AT_ONCE));
        while let Some(of_one) = found.next().await {
            self.0.extend(of_one.0);
        }
    }

    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }
}

/// Looks at everything.
///
/// # Errors
/// When a finding is an error.
pub(crate) async fn run(config: &Config, json: bool) -> Result<()> {
    let mut findings = Findings::default();
    let source =
        config.file.as_ref().map_or("built-in defaults".to_owned(), |file| file.display().to_string());
    findings.ok("config", format!("{source}: no mistake"));
    strangers(config, &mut findings);
    countries(config, &mut findings);
    machine::look(config, &mut findings);
    tls::look(config, &mut findings);
    ports::look(config, &mut findings);
    scanners::look(config, &mut findings).await;
    road_out::look(config, &mut findings).await;
    let found = database::look(config, &mut findings).await;
    domain_names::look(config, &found, &mut findings).await;
    let text = if json { as_json(&findings)? } else { as_text(&findings) };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    match findings.count(Level::Error) {
        0 => Ok(()),
        1 => bail!("one thing is wrong: mend what the last line says first"),
        errors => bail!("{errors} things are wrong: mend what the last {errors} lines say first"),
    }
}

/// Without tables nobody asked for them.
fn countries(config: &Config, findings: &mut Findings) {
    match config.countries() {
        Ok(countries) if countries.is_empty() => {}
        Ok(countries) => match countries.families() {
            (true, true) => {
                findings.ok("networks", format!("tables of countries with {} ranges", countries.ranges()));
            }
            (v4, _) => findings.warn(
                "networks",
                format!(
                    "no table knows countries of {}: where policy lets in some countries only, nobody comes in by it",
                    if v4 { "IPv6" } else { "IPv4" }
                ),
                "name the other file, too: /usr/share/tor/geoip, /usr/share/tor/geoip6",
            ),
        },
        Err(error) => findings.error("networks", error.to_string(), "or take the table out of [networks]"),
    }
}

/// What a profile's policy refuses is refused only where it is found out.
fn strangers(config: &Config, findings: &mut Findings) {
    if config.authentication.check {
        return findings.ok("inbound", "mail of strangers is looked at (SPF, DKIM, DMARC)");
    }
    findings.warn(
        "inbound",
        "[authentication] check is off: forged mail is taken, whatever the policies of the domains say",
        "right behind a server that looks at it, and for tests; else take the line out",
    );
}

fn as_json(findings: &Findings) -> Result<String> {
    Ok(serde_json::to_string(&findings.0)? + "\n")
}

fn as_text(findings: &Findings) -> String {
    let mut text = String::new();
    let mut by_level: Vec<&Finding> = findings.0.iter().collect();
    by_level.sort_by_key(|finding| finding.level);
    for Finding { area, level, what, mend } in by_level {
        let level = match level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "ERROR",
        };
        let mend = if mend.is_empty() { String::new() } else { format!("; {mend}") };
        let line = format!("{level:<8} {area:<9} {what}{mend}");
        let _ = writeln!(text, "{}", line.split(['\n', '\r']).collect::<Vec<_>>().join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_forged_mail_is_taken_is_said() {
        let said = |text: &str| {
            let mut findings = Findings::default();
            strangers(&Config::parse(text, "test").unwrap(), &mut findings);
            (findings.count(Level::Warning), as_text(&findings))
        };
        assert_eq!(said("").0, 0);
        let (warnings, text) = said("[authentication]\ncheck = false\n");
        assert_eq!(warnings, 1);
        assert!(text.contains("forged mail is taken"), "{text}");
    }

    #[tokio::test]
    async fn many_are_looked_at_at_once_and_told_in_order() {
        let (mut findings, together) = (Findings::default(), tokio::sync::Barrier::new(AT_ONCE));
        let look = async |n: usize, findings: &mut Findings| {
            together.wait().await;
            findings.ok("dns", n.to_string());
        };
        let all = findings.of_each(0..2 * AT_ONCE, look);
        tokio::time::timeout(std::time::Duration::from_secs(60), all)
            .await
            .expect("they wait for each other");
        let told: Vec<_> = findings.0.iter().map(|finding| finding.what.clone()).collect();
        assert_eq!(told, (0..2 * AT_ONCE).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn one_line_for_each_finding() {
        let mut findings = Findings::default();
        findings.error("tls", "bad\nin two lines", "mend it");
        findings.warn("dns", "not good", "");
        findings.ok("dns", "good");
        // What is to be mended first is what its reader sees last.
        assert_eq!(
            as_text(&findings),
            "ok       dns       good\nwarning  dns       not good\nERROR    tls       bad in two lines; mend it\n"
        );
        let json: serde_json::Value = serde_json::from_str(&as_json(&findings).unwrap()).unwrap();
        assert_eq!((json[2]["level"].as_str(), json[0]["mend"].as_str()), (Some("ok"), Some("mend it")));
    }
}
