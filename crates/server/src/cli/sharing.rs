//! Commands on mailboxes that several people use: who may, and who is next.

use super::times::day;
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use model::{Address, DomainName, GroupRule, GroupSenders, Right};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum DelegateCommand {
    /// Give somebody rights to a mailbox (ủy quyền), in place of those he has
    Grant(GrantDelegate),
    /// Take back the rights of DELEGATE, or with --all everybody's; sessions end at once
    Revoke {
        mailbox: Address,
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        delegate: Option<Address>,
        /// Everybody's
        #[arg(long)]
        all: bool,
    },
    /// List who has which rights
    List {
        /// To this mailbox
        #[arg(long)]
        mailbox: Option<Address>,
        /// Of this person
        #[arg(long)]
        delegate: Option<Address>,
        /// Of mailboxes of this domain only
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// Those that were revoked, too
        #[arg(long)]
        ended: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct GrantDelegate {
    pub(crate) mailbox: Address,
    pub(crate) delegate: Address,
    /// Which, with commas between: read, write, send-as, send-on-behalf, manage
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) rights: Vec<Right>,
    /// Number and date of the paper (văn bản ủy quyền)
    #[arg(long)]
    pub(crate) document: String,
    /// First day [default: now]
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) since: Option<Date>,
    /// Last day
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) until: Option<Date>,
    /// Of a personal mailbox, where policy allows it: how its owner consented
    #[arg(long)]
    pub(crate) consent: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HandoverCommand {
    /// Begin to hand over a mailbox (bàn giao nguyên trạng): nothing in it can be deleted until it is done
    Start(StartHandover),
    /// Give the mailbox to the new holder: a one-time password, no rights of others, every session ended
    Finish { mailbox: Address },
    /// Leave all with whoever had it
    Cancel { mailbox: Address },
    /// Show the record (biên bản bàn giao), the latest first
    Show { mailbox: Address },
}

#[derive(Debug, Args)]
pub(crate) struct StartHandover {
    pub(crate) mailbox: Address,
    /// Whoever hands over: name and office
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,
    /// Whoever takes over: name and office
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,
    /// Number and date of the paper
    #[arg(long)]
    pub(crate) document: String,
    /// Whose own mailbox gets rights to it when it is done
    #[arg(long, value_name = "ADDRESS", requires = "rights")]
    pub(crate) delegate: Option<Address>,
    /// Which, with commas between
    #[arg(long, value_delimiter = ',', requires = "delegate")]
    pub(crate) rights: Vec<Right>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Make a group
    Add(AddGroup),
    /// Take a group away; its address may be given out again
    Remove { group: Address },
    /// List the groups of a domain
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
    },
    /// Show a group and whoever is in it now
    Show { group: Address },
    /// Put mailboxes and groups into a group that is kept by hand
    AddMember {
        group: Address,
        #[arg(required = true)]
        members: Vec<Address>,
    },
    /// Take mailboxes and groups out of a group that is kept by hand
    RemoveMember {
        group: Address,
        #[arg(required = true)]
        members: Vec<Address>,
    },
    /// Say who may write to it: everybody, local, members, or listed and then who
    Senders { group: Address, senders: GroupSenders, listed: Vec<Address> },
    /// List mail to large groups that waits for approval (duyệt)
    Held {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// What was decided lately, too
        #[arg(long)]
        all: bool,
    },
    /// Let a held message go out
    Approve { number: i64 },
    /// Refuse a held message; its sender is told
    Reject {
        number: i64,
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddGroup {
    pub(crate) group: Address,
    /// Such as "Văn thư các đơn vị"
    #[arg(long)]
    pub(crate) name: String,
    /// Who is in it: manual, everybody, people, leaders, organisations, clerks, offices
    #[arg(long, default_value = "manual")]
    pub(crate) rule: GroupRule,
    /// Code of the unit whose people they are [default: the whole domain]
    #[arg(long, value_name = "CODE")]
    pub(crate) unit: Option<String>,
    /// Of the units below it, too
    #[arg(long, requires = "unit")]
    pub(crate) deep: bool,
    /// Who may write to it: everybody, local, members, listed
    #[arg(long, default_value = "local")]
    pub(crate) senders: GroupSenders,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    /// Find people and offices by name, address, unit and position, with or without diacritics
    Search {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        words: Vec<String>,
        /// From behind this address on
        #[arg(long, value_name = "ADDRESS")]
        after: Option<Address>,
        /// So many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Give out what everybody may have of it (danh bạ công khai), as the policy's directory.public says
    Publish {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        #[arg(long, value_enum, default_value_t = DirectoryForm::Json)]
        form: DirectoryForm,
        /// Write it here, for a portal's web server, and only when it differs from what is there; readable by everybody
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// How a published directory is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DirectoryForm {
    Json,
    /// As spreadsheets here open it: in UTF-8, parted by semicolons, with a first line of titles
    Csv,
    /// vCard 4.0
    Vcard,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ForwardCommand {
    /// Let mail for MAILBOX go to TARGET by itself (chuyển thư tự động)
    Set {
        mailbox: Address,
        target: Address,
        /// Keep none in MAILBOX
        #[arg(long)]
        no_copy: bool,
    },
    /// End it
    Clear { mailbox: Address },
    /// Say where mail goes
    Show { mailbox: Address },
    /// List whose mail goes where, and what of it policy or the next mailbox stops
    List {
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// To other systems only
        #[arg(long)]
        outside: bool,
    },
}
