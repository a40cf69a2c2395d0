//! `congthu role …`, `audit …`, `trace …`, `hold …`, `announce …` and `checking …` as they are written.

use super::times::{day, moment};
use clap::{Args, Subcommand};
use engine::TRACE_STATUSES;
use jiff::Timestamp;
use jiff::civil::Date;
use model::{Address, DomainName, Role};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Give somebody a role
    Grant {
        #[command(flatten)]
        role: RoleName,
        /// When it ends by itself, such as 2027-06-30T17:00 (Vietnamese time)
        #[arg(long, value_name = "TIME", value_parser = moment)]
        until: Option<Timestamp>,
        /// The decision it rests on
        #[arg(long)]
        reason: String,
    },
    /// Take a role away
    Revoke {
        #[command(flatten)]
        role: RoleName,
    },
    /// List the roles
    List {
        /// Also those that have ended
        #[arg(long)]
        all: bool,
    },
}

/// Somebody's role over something.
#[derive(Debug, Args)]
pub(crate) struct RoleName {
    pub(crate) address: Address,
    /// system-administrator, centre-operator, organisation-officer, inspector or helpdesk
    #[arg(value_parser = role)]
    pub(crate) role: Role,
    /// Over this domain
    #[arg(long, value_parser = DomainName::new)]
    pub(crate) domain: Option<DomainName>,
    /// Over this organisation of the domain and those below it
    #[arg(long, value_name = "CODE", requires = "domain")]
    pub(crate) unit: Option<String>,
    /// Over this mailbox
    #[arg(long, value_name = "ADDRESS", conflicts_with = "domain")]
    pub(crate) mailbox: Option<Address>,
}

fn role(name: &str) -> Result<Role, String> {
    let mut roles = Role::ALL.into_iter().filter(|role| role.is_administrative());
    roles.find(|role| role.as_str() == name).ok_or_else(|| {
        "a role is system-administrator, centre-operator, organisation-officer, inspector or helpdesk"
            .to_owned()
    })
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List acts, the newest first
    List(AuditList),
    /// Show an act with everything it changed
    Show { number: i64 },
    /// Walk along the whole log: is any of it changed, left out or cut off?
    Verify {
        /// A head written down before, by `congthu audit head`; may be given several times
        #[arg(long = "head", value_name = "FILE")]
        heads: Vec<PathBuf>,
        /// The public key that signed the heads [default: this installation's]
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Verify the log and write down, signed, how it stands; to be kept elsewhere
    Head {
        /// The file, which must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuditList {
    /// Of this person, such as an@demo.gov.vn or console:root
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Such as mailbox.add, or mailbox for all that begin so
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Done to this, or in this domain: an address, tinh.gov.vn, tinh.gov.vn/unit/soyte, tinh.gov.vn/person/1,
    /// tinh.gov.vn/request/1, */job/keep-events; without its kind (tinh.gov.vn/1), of every kind
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// From this time on: 2026-11-01, or 2026-11-01T08:00 (Vietnamese time)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
    /// Numbers below this one: the next page
    #[arg(long, value_name = "NUMBER")]
    pub(crate) before: Option<i64>,
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
}

/// What is known of a message.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TraceOptions {
    #[command(subcommand)]
    pub(crate) command: Option<TraceCommand>,
    /// Envelope sender
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<Address>,
    /// Envelope recipient
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<Address>,
    /// Words of the subject, with or without their marks
    #[arg(long, value_name = "WORDS")]
    pub(crate) subject: Option<String>,
    /// Its Message-ID header
    #[arg(long, value_name = "ID")]
    pub(crate) message_id: Option<String>,
    /// Our number for it, as the answer to DATA and the log say it
    #[arg(long, value_name = "ID")]
    pub(crate) queue_id: Option<String>,
    #[arg(long, value_parser = status, help = statuses())]
    pub(crate) status: Option<String>,
    /// From this time on: 2026-11-01, or 2026-11-01T08:00 (Vietnamese time)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
    /// Messages at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Every event of the time, log-ins too, as JSON lines for central logs
    #[arg(long, conflicts_with_all = ["from", "to", "subject", "message_id", "queue_id", "status", "limit"])]
    pub(crate) export: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Show who logged in to a mailbox: when, by which door, from where, let in or refused and why; that it was asked for is noted
    Logins(TraceLogins),
    /// Show what users said of mail, which the filter for spam learns: who, in which mailbox, of which message, and what came of it; that
    /// it was asked for is noted
    Lessons(TraceLessons),
}

#[derive(Debug, Args)]
pub(crate) struct TraceLessons {
    /// What this person said, wherever [default: everybody]
    pub(crate) address: Option<Address>,
    /// From this time on: 2026-11-01, or 2026-11-01T08:00 (Vietnamese time) [default: the last 30 days, which are kept]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct TraceLogins {
    /// Of this mailbox
    pub(crate) address: Address,
    /// From this time on: 2026-11-01, or 2026-11-01T08:00 (Vietnamese time) [default: 30 days before the end]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
    /// As a CSV file with Vietnamese titles, which Excel opens
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

fn statuses() -> String {
    format!(
        "What happened to it, what became of it, or for what it was refused: {}; or the code that was said of it, by the other side or by us: 5.1.1",
        TRACE_STATUSES.join(", ")
    )
}

fn status(text: &str) -> Result<String, String> {
    if ["login", "login_refused", "strange_login", "cloud_login"].contains(&text) {
        return Err("log-ins are no state of a message: see congthu trace logins ADDRESS".to_owned());
    }
    let is_code = text.split('.').count() == 3 && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if TRACE_STATUSES.contains(&text) || is_code { Ok(text.to_owned()) } else { Err(statuses()) }
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Keep a mailbox from being deleted, or events from being dropped with their month
    Add {
        mailbox: Option<Address>,
        /// Events of all mailboxes
        #[arg(long, conflicts_with = "mailbox")]
        everybody: bool,
        /// Events from this time on: 2026-11-01, or 2026-11-01T08:00 (Vietnamese time)
        #[arg(long, value_name = "TIME", value_parser = moment, requires = "until")]
        since: Option<Timestamp>,
        /// Events before this time
        #[arg(long, value_name = "TIME", value_parser = moment, requires = "since")]
        until: Option<Timestamp>,
        /// The decision it rests on
        #[arg(long)]
        reason: String,
    },
    /// Ask for the end of a hold; the second person who does so ends it
    Release {
        hold: i64,
        /// Why; in the administrators' log
        #[arg(long)]
        reason: Option<String>,
    },
    /// List the holds
    List {
        /// Also those that have ended
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AnnounceCommand {
    /// Announce a planned stop (tạm dừng dịch vụ), by mail to everybody
    Stop {
        /// In this domain only
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// When it begins: 2026-11-30T20:00 (Vietnamese time)
        #[arg(long, value_name = "TIME", value_parser = moment)]
        begins: Timestamp,
        /// When it ends
        #[arg(long, value_name = "TIME", value_parser = moment)]
        ends: Timestamp,
        /// What is done, in Vietnamese
        #[arg(long)]
        text: String,
        /// Why it cannot wait as long as the policy asks
        #[arg(long, value_name = "REASON")]
        emergency: Option<String>,
    },
    /// Announce an incident (sự cố), by mail to everybody
    Incident {
        /// In this domain only
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// Since when
        #[arg(long, value_name = "TIME", value_parser = moment)]
        since: Timestamp,
        /// When it is expected to be over
        #[arg(long, value_name = "TIME", value_parser = moment)]
        recovery: Option<Timestamp>,
        /// What has happened, in Vietnamese
        #[arg(long)]
        text: String,
    },
    /// List the announcements that are not over
    List {
        /// All of them
        #[arg(long)]
        all: bool,
    },
    /// Take an announcement back, by mail to everybody
    Cancel { announcement: i64 },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckingCommand {
    /// Report on how many working days mailboxes were looked at as often as the policy asks, by organisation
    Report {
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// Of this organisation and those below it
        #[arg(long, value_name = "CODE", requires = "domain")]
        unit: Option<String>,
        /// First day, such as 2026-11-01
        #[arg(long, value_name = "DAY", value_parser = day)]
        since: Date,
        /// Last day; at most today counts
        #[arg(long, value_name = "DAY", value_parser = day)]
        until: Date,
        /// Each mailbox, not each organisation
        #[arg(long)]
        mailboxes: bool,
        /// Only those below this share of their days
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
        below: Option<u32>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command};
    use clap::Parser as _;

    fn trace(text: &str) -> Result<TraceOptions, String> {
        let words = format!("congthu trace {text}");
        match Arguments::try_parse_from(words.split(' ')).map(|parsed| parsed.command) {
            Ok(Command::Trace(options)) => Ok(options),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn log_ins_are_asked_for_by_a_mailbox_and_not_as_a_state_of_mail() {
        let asked = trace("logins an@b.vn --since 2026-11-01 --until 2026-11-02 --csv").unwrap();
        let Some(TraceCommand::Logins(of)) = asked.command else { panic!("no log-ins") };
        assert_eq!((of.address.to_string().as_str(), of.csv), ("an@b.vn", true));
        assert_eq!(of.since.unwrap().to_string(), "2026-10-31T17:00:00Z");
        for status in ["login", "login_refused", "strange_login", "cloud_login"] {
            let refused = trace(&format!("--status {status}")).unwrap_err();
            assert!(refused.contains("congthu trace logins ADDRESS"), "{refused}");
        }
        for wrong in ["logins", "logins an", "--from a@b.vn logins an@b.vn", "logins an@b.vn --csv --json"] {
            assert!(trace(wrong).is_err(), "{wrong}");
        }
        assert!(trace("--from a@b.vn").unwrap().command.is_none());
        let Some(TraceCommand::Lessons(of)) = trace("lessons --since 2026-11-01").unwrap().command else {
            panic!("no lessons")
        };
        assert_eq!((of.address, of.until), (None, None));
    }
}
