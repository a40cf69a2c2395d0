//! What may be written about units, people and positions.

use super::times::day;
use clap::{Args, Subcommand};
use jiff::civil::Date;
use model::{Address, DomainName, PersonId, Tier};

#[derive(Debug, Subcommand)]
pub(crate) enum UnitCommand {
    /// Found an organisation
    Add(AddUnit),
    /// List the organisations as a tree
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Dissolved ones too
        #[arg(long)]
        all: bool,
    },
    /// Show an organisation with its history
    Show {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        code: String,
    },
    /// List who follows an organisation and those below it, and is told of requests about them where policy says so (theo dõi)
    Watchers {
        #[command(flatten)]
        of: OfUnit,
        /// Name somebody
        #[arg(long, value_name = "MAILBOX", conflicts_with = "remove")]
        add: Option<Address>,
        /// No longer
        #[arg(long, value_name = "MAILBOX")]
        remove: Option<Address>,
    },
    /// Change the name, and with it the addresses that are made of it; the old ones receive for a time
    Rename {
        #[command(flatten)]
        of: OfUnit,
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Change the code, and the addresses that bear it; the old code is never another's
    Recode {
        #[command(flatten)]
        of: OfUnit,
        new_code: String,
        #[command(flatten)]
        how: How,
    },
    /// Change the kind, as when a thị trấn becomes a phường
    Convert {
        #[command(flatten)]
        of: OfUnit,
        kind: String,
        #[command(flatten)]
        how: How,
    },
    /// Put under another organisation, with everything below
    Move {
        #[command(flatten)]
        of: OfUnit,
        /// Code of the organisation above [default: none, the top]
        #[arg(long, value_name = "CODE")]
        to: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Dissolve organisations into another, with their people, mailboxes and what is below them
    Merge {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Codes of those that end
        #[arg(required = true, value_name = "CODE")]
        codes: Vec<String>,
        #[arg(long, value_name = "CODE")]
        into: String,
        /// Positions that are no leader's (chuyên viên, văn thư) are held in the heir from then on; without it all end
        #[arg(long)]
        keep_positions: bool,
        #[command(flatten)]
        how: How,
    },
    /// Found parts out of an organisation
    Split(SplitUnit),
    /// End an organisation in which nobody is left
    Dissolve {
        #[command(flatten)]
        of: OfUnit,
        #[command(flatten)]
        how: How,
    },
    /// List the kinds of organisations, or add one with --id
    Kinds(Kinds),
}

#[derive(Debug, Args)]
pub(crate) struct AddUnit {
    #[arg(value_parser = DomainName::new)]
    pub(crate) domain: DomainName,
    /// Such as "Sở Nội vụ"
    #[arg(long)]
    pub(crate) name: String,
    /// Such as so, phong, xa; see congthu unit kinds
    #[arg(long)]
    pub(crate) kind: String,
    /// Code of the organisation above it
    #[arg(long, value_name = "CODE")]
    pub(crate) parent: Option<String>,
    /// Short code [default: by the domain's rules for units]
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Mã định danh
    #[arg(long, value_name = "ID")]
    pub(crate) identifier: Option<String>,
    /// The day of its founding [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) on: Option<Date>,
    /// There is one of this name under the same organisation, and this is another
    #[arg(long)]
    pub(crate) another_unit: bool,
    #[command(flatten)]
    pub(crate) grounds: Grounds,
    /// Say what would be founded, and found nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OfUnit {
    #[arg(value_parser = DomainName::new)]
    pub(crate) domain: DomainName,
    pub(crate) code: String,
}

/// On what an act rests.
#[derive(Clone, Debug, Args)]
pub(crate) struct Grounds {
    /// The document on which it is done (căn cứ), its number and date; it is kept in the administrators' log
    #[arg(long, value_name = "TEXT")]
    pub(crate) document: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct How {
    /// The day from which it holds [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) on: Option<Date>,
    #[command(flatten)]
    pub(crate) grounds: Grounds,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SplitUnit {
    #[command(flatten)]
    pub(crate) of: OfUnit,
    /// Name of a new organisation; once for each
    #[arg(long = "part", required = true, value_name = "NAME")]
    pub(crate) parts: Vec<String>,
    /// Their codes in the same order [default: by the domain's rules]
    #[arg(long = "part-code", value_name = "CODE")]
    pub(crate) codes: Vec<String>,
    /// Their kind [default: that of the organisation they come from]
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// An organisation below and the part it goes to
    #[arg(long, value_name = "CODE=PART-CODE", value_parser = pair)]
    pub(crate) below: Vec<(String, String)>,
    /// The organisation goes on beside its parts
    #[arg(long)]
    pub(crate) keep: bool,
    /// Positions that are no leader's (chuyên viên, văn thư) are held in the first part from then on; without it all end
    #[arg(long, conflicts_with = "keep")]
    pub(crate) keep_positions: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct Kinds {
    #[arg(value_parser = DomainName::new)]
    pub(crate) domain: DomainName,
    /// Add this kind, or change it
    #[arg(long, requires_all = ["label", "tier"])]
    pub(crate) id: Option<String>,
    /// Its word in Vietnamese
    #[arg(long, requires = "id")]
    pub(crate) label: Option<String>,
    /// province, department, district, commune or inner: a unit never stands above one of a higher tier
    #[arg(long, requires = "id")]
    pub(crate) tier: Option<Tier>,
    /// No unit of the kind is founded from this day on
    #[arg(long, requires = "id", value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) ended: Option<Date>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// List people with their units, positions and addresses
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Of this organisation only
        #[arg(long, value_name = "CODE")]
        unit: Option<String>,
    },
    /// Say whose a mailbox of class person or leader is that was made without a person: a person of the mailbox's name is made, or
    /// the one who is named has it from now on, and belongs to the unit; one whose person is in no unit, where he belongs
    Link(LinkMailbox),
    /// Let a person go to another organisation (chuyển công tác): positions and the officer's role in the old one end, and so do
    /// rights to its mailboxes
    Transfer {
        #[command(flatten)]
        of: OfPerson,
        #[arg(long, value_name = "CODE")]
        to: String,
        /// What the person is to be there (chức vụ), such as "Phó Giám đốc"
        #[arg(long, value_name = "TITLE")]
        position: Option<String>,
        #[command(flatten)]
        going: Going,
    },
    /// End a person's membership and positions (nghỉ hưu, nghỉ việc), the officer's role there and rights to the organisation's
    /// mailboxes
    Leave {
        #[command(flatten)]
        of: OfPerson,
        #[command(flatten)]
        going: Going,
    },
    /// Give a position (bổ nhiệm)
    Appoint(Appoint),
    /// Take a position (thôi giữ chức vụ)
    Relieve(Appoint),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Going {
    #[command(flatten)]
    pub(crate) how: How,
    /// Rights to mailboxes of the organisation left (ủy quyền) go on
    #[arg(long)]
    pub(crate) keep_delegations: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LinkMailbox {
    #[arg(value_parser = DomainName::new)]
    pub(crate) domain: DomainName,
    /// The mailbox
    pub(crate) address: Address,
    /// Code of the organisation where the person belongs [default: the mailbox's]
    #[arg(long, value_name = "CODE")]
    pub(crate) unit: Option<String>,
    /// What the person is there (chức vụ), such as "Chuyên viên"; a leader's makes the mailbox a leader's
    #[arg(long, value_name = "TITLE")]
    pub(crate) position: Option<String>,
    /// Tells people of one name apart
    #[arg(long, value_name = "YEAR")]
    pub(crate) birth_year: Option<i16>,
    /// The number of somebody who is known already, or the address of a mailbox that he has
    #[arg(long, value_name = "NUMBER|ADDRESS")]
    pub(crate) person: Option<Whom>,
    /// Somebody of this name is known, and this is another person
    #[arg(long, conflicts_with = "person")]
    pub(crate) another_person: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Args)]
pub(crate) struct OfPerson {
    #[arg(value_parser = DomainName::new)]
    pub(crate) domain: DomainName,
    /// The person's number (congthu person list), or the address of a mailbox that is his
    #[arg(value_name = "PERSON|ADDRESS")]
    pub(crate) person: Whom,
}

/// Who is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Number(PersonId),
    /// Of a mailbox of his.
    Address(Address),
}

impl std::str::FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a number, see congthu person list, nor an address");
        match text.contains('@') {
            true => text.parse().map(Self::Address).map_err(|_| wrong()),
            false => text.parse().map(|number| Self::Number(PersonId(number))).map_err(|_| wrong()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Appoint {
    #[command(flatten)]
    pub(crate) of: OfPerson,
    /// Such as "Phó Giám đốc"; see congthu position list
    pub(crate) title: String,
    /// Code of the organisation [default: the person's own]
    #[arg(long, value_name = "CODE")]
    pub(crate) unit: Option<String>,
    /// The day from which it holds [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub(crate) on: Option<Date>,
    #[command(flatten)]
    pub(crate) grounds: Grounds,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PositionCommand {
    /// List the positions (chức vụ), the highest first
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
    },
    /// Add a position, or change its rank
    Put {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        title: String,
        /// 1 is the highest
        #[arg(long)]
        rank: u8,
        /// Who holds it has a leader's mailbox
        #[arg(long)]
        leader: bool,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (unit, part) = text.split_once('=').ok_or("write CODE=PART-CODE")?;
    Ok((unit.to_owned(), part.to_owned()))
}
