//! The command line: what may be written, and nothing of what it does.

mod acme;
mod alias;
mod cases;
mod dkim;
mod domain;
mod evidence;
mod handling;
mod life;
mod organisation;
mod policy;
mod program;
mod quarantine;
mod queue;
mod relocation;
mod requests;
mod reviews;
mod sharing;
mod sieve;
mod times;

pub(crate) use acme::AcmeCommand;
pub(crate) use alias::AliasCommand;
pub(crate) use cases::{CaseCommand, TurnIntoRequest};
pub(crate) use dkim::{DkimCommand, DmarcCommand};
pub(crate) use domain::{DomainCommand, OneDomain};
pub(crate) use evidence::{
    AnnounceCommand, AuditCommand, AuditList, CheckingCommand, HoldCommand, RoleCommand, RoleName,
    TraceCommand, TraceLessons, TraceLogins, TraceOptions,
};
pub(crate) use handling::{Handled, HandlingCommand};
pub(crate) use life::{HolidayCommand, LifeCommand, SetHolidays};
pub(crate) use organisation::{
    AddUnit, Appoint, Going, Grounds, How, Kinds, LinkMailbox, OfPerson, OfUnit, PersonCommand,
    PositionCommand, SplitUnit, UnitCommand, Whom,
};
pub(crate) use policy::{JobCommand, PolicyCommand, SearchCommand, SetPolicy};
pub(crate) use program::{ConfigCommand, Demo, Shell};
pub(crate) use quarantine::QuarantineCommand;
pub(crate) use queue::QueueCommand;
pub(crate) use relocation::MoveCommand;
pub(crate) use requests::{AddRequest, RequestCommand};
pub(crate) use reviews::{AnswerReview, ReviewCommand};
pub(crate) use sharing::{
    AddGroup, DelegateCommand, DirectoryCommand, DirectoryForm, ForwardCommand, GrantDelegate, GroupCommand,
    HandoverCommand, StartHandover,
};
pub(crate) use sieve::{KeptCommand, RunSieve, SieveCommand, Whose};

use crate::commands::add_many::titles;
use crate::config::{LogFormat, size};
use clap::{Args, Parser, Subcommand};
use model::{Address, DomainName, MailboxClass};
use std::path::PathBuf;

/// Ten years: longer than a mailbox of somebody who left can be there.
const UNUSED_DAYS_MAX: i64 = 3_650;

/// Công Thư, a mail system for a province.
#[derive(Debug, Parser)]
#[command(name = "congthu", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Configuration file [default: CONGTHU_CONFIG, /etc/congthu/congthu.toml, built-in defaults]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Form of the log on standard error: human or json
    #[arg(long, global = true, value_name = "FORM")]
    pub(crate) log: Option<LogFormat>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve,
    /// Bring the database to this version's schema, and exit
    Migrate,
    /// Run a demo province with users and mail; restarted, it has what it had
    Demo(Demo),
    /// Domains that receive mail here
    Domain {
        #[command(subcommand)]
        command: DomainCommand,
    },
    /// Organisations (đơn vị) of a domain
    Unit {
        #[command(subcommand)]
        command: UnitCommand,
    },
    /// People, where they belong and what they hold
    Person {
        #[command(subcommand)]
        command: PersonCommand,
    },
    /// Positions (chức vụ) of a domain
    Position {
        #[command(subcommand)]
        command: PositionCommand,
    },
    /// Mailboxes
    Mailbox {
        #[command(subcommand)]
        command: MailboxCommand,
    },
    /// Further addresses of mailboxes
    Alias {
        #[command(subcommand)]
        command: AliasCommand,
    },
    /// Rights to others' mailboxes (ủy quyền)
    Delegate {
        #[command(subcommand)]
        command: DelegateCommand,
    },
    /// Handing over an organisation's mailbox (bàn giao)
    Handover {
        #[command(subcommand)]
        command: HandoverCommand,
    },
    /// Groups of the address book (nhóm)
    Group {
        #[command(subcommand)]
        command: GroupCommand,
    },
    /// The address book (danh bạ)
    Directory {
        #[command(subcommand)]
        command: DirectoryCommand,
    },
    /// Automatic forwarding (chuyển thư tự động)
    Forward {
        #[command(subcommand)]
        command: ForwardCommand,
    },
    /// Requests of organisations (đề nghị)
    Request {
        #[command(subcommand)]
        command: RequestCommand,
    },
    /// Reviews of units' mailboxes (rà soát danh sách hộp thư)
    Review {
        #[command(subcommand)]
        command: ReviewCommand,
    },
    /// The handling of mail in organisations' mailboxes (xử lý thư)
    Handling {
        #[command(subcommand)]
        command: HandlingCommand,
    },
    /// Cases of the support address (yêu cầu hỗ trợ)
    Case {
        #[command(subcommand)]
        command: CaseCommand,
    },
    /// What a domain's administrator has decided (chính sách)
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Moves of all mailboxes of a domain to another one (sáp nhập)
    Move {
        #[command(subcommand)]
        command: MoveCommand,
    },
    /// Mail that is kept apart until somebody has looked at it (cách ly)
    Quarantine {
        #[command(subcommand)]
        command: QuarantineCommand,
    },
    /// Mail on its way to others (hàng đợi)
    Queue {
        #[command(subcommand)]
        command: QueueCommand,
    },
    /// What runs at its times
    Job {
        #[command(subcommand)]
        command: JobCommand,
    },
    /// The administrators' log (nhật ký quản trị)
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Find a message and what became of it (tra cứu thư)
    Trace(TraceOptions),
    /// Legal holds: what must not go
    Hold {
        #[command(subcommand)]
        command: HoldCommand,
    },
    /// Planned stops and incidents
    Announce {
        #[command(subcommand)]
        command: AnnounceCommand,
    },
    /// How often mailboxes are looked at (tần suất kiểm tra thư)
    Checking {
        #[command(subcommand)]
        command: CheckingCommand,
    },
    /// Administrators, officers, inspectors: who has which role over what
    Role {
        #[command(subcommand)]
        command: RoleCommand,
    },
    /// Keys that sign the mail of a domain (DKIM)
    Dkim {
        #[command(subcommand)]
        command: DkimCommand,
    },
    /// What other systems tell of mail in the names of our domains (DMARC)
    #[command(subcommand)]
    Dmarc(DmarcCommand),
    /// Certificates that are ordered and renewed by themselves (chứng thư số máy chủ)
    Acme {
        #[command(subcommand)]
        command: AcmeCommand,
    },
    /// Public holidays and swapped days (ngày nghỉ), by which terms are counted
    Holiday {
        #[command(subcommand)]
        command: HolidayCommand,
    },
    /// The search index
    Search {
        #[command(subcommand)]
        command: SearchCommand,
    },
    /// Rules for mail that comes in (bộ lọc thư, Sieve)
    #[command(subcommand)]
    Sieve(SieveCommand),
    /// Look at configuration, database, DNS, certificates, ports: what is wrong and how to mend it
    Check,
    /// Print a shell's completions, for /usr/share/bash-completion/completions/congthu and the like
    Completions { shell: Shell },
    /// Print the manual page, or write those of all commands
    Man {
        /// Write congthu.1, congthu-serve.1 and the others there
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// The configuration file
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MailboxCommand {
    /// Make a mailbox; without --password-stdin a password is made and shown once
    Add(AddMailbox),
    /// Make many mailboxes from a CSV or XLSX list with the columns name, unit, position, class, quota, address, birth year
    #[command(after_long_help = titles::help())]
    AddMany(AddMany),
    /// List mailboxes, with when each was last used
    List(ListMailboxes),
    /// Show a mailbox
    Show { address: Address },
    /// Delete a mailbox with its mail at once, past the deletion list (see revoke and confirm-deletion)
    Delete {
        address: Address,
        /// At once, for good: without it nothing is deleted
        #[arg(long, requires = "reason")]
        now: bool,
        /// Why it cannot wait; kept in the audit trail
        #[arg(long)]
        reason: Option<String>,
        /// No archive of it is wanted, though the domain's policy asks for one
        #[arg(long, requires = "now")]
        without_export: bool,
    },
    #[command(flatten)]
    Life(LifeCommand),
    /// Set a password; without --password-stdin a one-time password is made and shown once
    Passwd {
        address: Address,
        #[command(flatten)]
        password: PasswordOptions,
        /// Why a one-time password is issued (cấp lại mật khẩu); kept with its record
        #[arg(long, default_value = "cấp lại mật khẩu")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListMailboxes {
    #[command(flatten)]
    pub(crate) of: OneDomain,
    /// Of this organisation of the domain and those below it
    #[arg(long, value_name = "CODE", requires = "OneDomain")]
    pub(crate) unit: Option<String>,
    /// Only those not used for more than so many days; of one that never was, since it was made
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=UNUSED_DAYS_MAX))]
    pub(crate) unused: Option<u16>,
    /// As a CSV file with Vietnamese titles, which Excel opens
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddMailbox {
    #[arg(required_unless_present = "auto", conflicts_with = "auto")]
    pub(crate) address: Option<Address>,
    /// Make the address from the name by the domain's rules
    #[arg(long, requires = "domain")]
    pub(crate) auto: bool,
    /// With --auto: the domain
    #[arg(long, requires = "auto", conflicts_with = "address", value_parser = DomainName::new)]
    pub(crate) domain: Option<DomainName>,
    /// With --auto: the part before the @ that the owner chose among what the rules offer
    #[arg(long, requires = "auto", conflicts_with = "address", value_name = "LOCAL")]
    pub(crate) choose: Option<String>,
    /// With --auto: the position (chức vụ); a leader's makes the mailbox a leader's
    #[arg(long, requires = "auto", conflicts_with = "address")]
    pub(crate) position: Option<String>,
    /// With --auto or --unit: tells people of one name apart
    #[arg(long, value_name = "YEAR")]
    pub(crate) birth_year: Option<i16>,
    /// With --auto or --unit: the number of somebody who is known already, or the address of a mailbox that he has
    #[arg(long, value_name = "NUMBER|ADDRESS")]
    pub(crate) person: Option<Whom>,
    /// With --auto or --unit: somebody of this name is known, and this is another person
    #[arg(long, conflicts_with = "person")]
    pub(crate) another_person: bool,
    /// With --auto: say what would be granted, and grant nothing
    #[arg(long, requires = "auto", conflicts_with = "address")]
    pub(crate) dry_run: bool,
    /// Whom or what it belongs to, such as "Nguyễn Văn A"
    #[arg(long)]
    pub(crate) name: String,
    /// person, leader, organisation or service
    #[arg(long, default_value = "person")]
    pub(crate) class: MailboxClass,
    /// Code of the organisation it belongs to; one of class person or leader is its person's then, who is made if he is not known
    #[arg(long, value_name = "CODE")]
    pub(crate) unit: Option<String>,
    /// Such as 300MB or 2GB [default: by class]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) quota: Option<u64>,
    #[command(flatten)]
    pub(crate) password: PasswordOptions,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PasswordOptions {
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    #[command(flatten)]
    pub(crate) change: ChangeOptions,
}

/// A password that somebody else knows has to be changed as the domain's policy says, whoever chose it, unless said otherwise.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ChangeOptions {
    /// Whoever knows it has to change it first, on the page /mat-khau; until then nobody logs in with it [default: what the
    /// policy's password.change_at_first_login says]
    #[arg(long)]
    pub(crate) must_change: bool,
    /// The password may be kept: a program's, or the owner typed it
    #[arg(long, conflicts_with = "must_change")]
    pub(crate) no_password_change: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddMany {
    /// The CSV or XLSX file; - is standard input
    pub(crate) file: PathBuf,
    /// The domain [default: that of the addresses in the list]
    #[arg(long, value_parser = DomainName::new)]
    pub(crate) domain: Option<DomainName>,
    /// Check every row, say which address each would get, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Since when the people have been in their units and positions [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = times::day)]
    pub(crate) since: Option<jiff::civil::Date>,
    /// Make the good rows although others are wrong
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Write the one-time passwords to this CSV file, for its owner alone, and not to the screen
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) passwords: Option<PathBuf>,
    /// Rows that an earlier run of the list made and nobody has used yet get new one-time passwords
    #[arg(long)]
    pub(crate) reissue: bool,
    #[command(flatten)]
    pub(crate) change: ChangeOptions,
    /// Read standard input, and call it so in errors
    #[arg(long, hide = true)]
    pub(crate) file_name: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_agree_with_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_configuration_is_named_before_or_after_the_command() {
        for words in [["congthu", "--config", "a", "serve"], ["congthu", "serve", "--config", "a"]] {
            let arguments = Arguments::try_parse_from(words).unwrap();
            assert_eq!(arguments.config, Some(PathBuf::from("a")), "{words:?}");
        }
    }

    #[test]
    fn a_person_is_named_by_number_or_address_and_a_domain_with_or_without_its_option() {
        let whom = |text: &str| {
            let words = format!("congthu person leave b.vn {text}");
            match Arguments::try_parse_from(words.split(' ')).map(|parsed| parsed.command) {
                Ok(Command::Person { command: PersonCommand::Leave { of, .. } }) => Ok(of.person),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.to_string()),
            }
        };
        assert_eq!(whom("7"), Ok(Whom::Number(model::PersonId(7))));
        assert_eq!(whom("an@b.vn"), Ok(Whom::Address("an@b.vn".parse().unwrap())));
        let refused = whom("an").unwrap_err();
        assert!(
            refused.contains("\"an\" is neither a number, see congthu person list, nor an address"),
            "{refused}"
        );
        for list in ["mailbox list", "mailbox deletion-list", "alias list"] {
            for of in ["", " b.vn", " --domain b.vn"] {
                let words = format!("congthu {list}{of}");
                let one = match Arguments::try_parse_from(words.split(' ')).unwrap().command {
                    Command::Mailbox { command } => match command {
                        MailboxCommand::List(list) => list.of,
                        MailboxCommand::Life(LifeCommand::DeletionList(one)) => one,
                        other => panic!("{other:?}"),
                    },
                    Command::Alias { command: AliasCommand::List(one) } => one,
                    other => panic!("{other:?}"),
                };
                assert_eq!(one.name().is_some(), !of.is_empty(), "{words}");
            }
        }
    }

    #[test]
    fn a_list_of_unused_mailboxes_is_asked_for_in_days_and_by_units_of_a_domain() {
        let list = |text: &str| {
            let words = format!("congthu mailbox list {text}");
            match Arguments::try_parse_from(words.split(' ')).map(|parsed| parsed.command) {
                Ok(Command::Mailbox { command: MailboxCommand::List(list) }) => Ok(list),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.to_string()),
            }
        };
        for of in ["b.vn", "--domain b.vn"] {
            let asked = list(&format!("{of} --unit so --unused 90 --csv")).unwrap();
            assert_eq!((asked.unit.as_deref(), asked.unused, asked.csv), (Some("so"), Some(90), true));
        }
        for (words, told) in [
            ("--unit so", "--domain"),
            ("b.vn --unused 0", "1..=3650"),
            ("b.vn --unused 3651", "1..=3650"),
            ("b.vn --unused lau", "lau"),
            ("b.vn --csv --json", "cannot be used with"),
        ] {
            let refused = list(words).unwrap_err();
            assert!(refused.contains(told), "{words}: {refused}");
        }
        assert_eq!(list("b.vn --unused 3650").unwrap().unused, Some(3_650));
    }

    #[test]
    fn a_new_mailbox_can_be_used_at_once_unless_asked_otherwise() {
        let must_change = |words: &str| {
            let words = format!("congthu mailbox {words}");
            let Command::Mailbox { command } = Arguments::try_parse_from(words.split(' ')).unwrap().command
            else {
                panic!("{words}");
            };
            match command {
                MailboxCommand::Add(add) => add.password.change.must_change,
                MailboxCommand::AddMany(add_many) => add_many.change.must_change,
                MailboxCommand::Passwd { password, .. } => password.change.must_change,
                _ => panic!("{words}"),
            }
        };
        for words in ["add a@b.vn --name A", "add-many a.csv", "passwd a@b.vn"] {
            assert!(!must_change(words), "{words}");
            assert!(!must_change(&format!("{words} --no-password-change")), "{words}");
            assert!(must_change(&format!("{words} --must-change")), "{words}");
        }
    }

    #[test]
    fn a_mailbox_has_an_address_or_a_rule_to_make_one() {
        let parse = |words: &str| {
            Arguments::try_parse_from(format!("congthu mailbox add --name A {words}").split(' '))
        };
        assert!(parse("a@b.vn").is_ok());
        assert!(parse("--auto --domain b.vn").is_ok());
        for wrong in
            ["--class boss a@b.vn", "--auto", "--auto --domain b.vn a@b.vn", "--domain b.vn a@b.vn", "a@"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        // Never made where only a look was asked for, nor without what was asked for.
        for wrong in ["--dry-run", "--position X", "--choose a"] {
            assert!(parse(&format!("a@b.vn {wrong}")).is_err(), "{wrong}");
            assert!(parse(&format!("--auto --domain b.vn {wrong}")).is_ok(), "{wrong}");
        }
    }
}
