//! `congthu mailbox add-many FILE.csv`: a whole province's mailboxes in one go.
//!
//! Invariants: every row is checked before the first mailbox is made; an error names the line of the file;
//! passwords that we make are shown once and kept nowhere.

use super::Session;
use crate::Misuse;
use crate::cli::AddMany;
use crate::config::size;
use anyhow::{Context as _, Result, bail};
use engine::{Actor, Engine, MailboxAdded, NewMailbox};
use model::DomainName;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use tokio::task::JoinSet;

/// The columns, in any order; the first two must be there.
const COLUMNS: [&str; 6] = ["address", "name", "class", "unit", "quota", "password"];
/// Largest file read: 30,000 rows have 3 MB, so more than this is another file given by mistake.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Mistakes shown before the rest is only counted.
const SHOWN_MAX: usize = 20;
/// Rows in work at once per processor: hashing keeps the processors busy, the rest wait for a commit.
const ROWS_PER_PROCESSOR: usize = 4;

/// Rows between two remarks to whoever waits at a terminal.
const REMARK_EVERY: usize = 1_000;

/// A row that could be read.
#[derive(Debug)]
pub(super) struct Row {
    line: u64,
    new: NewMailbox,
}

/// A mistake, or a mailbox that could not be made.
#[derive(Debug)]
struct Fault {
    line: u64,
    what: String,
}

/// Reads and checks the file; nothing else is open yet.
pub(super) fn read(options: &AddMany) -> Result<Vec<Row>> {
    let name = options.file_name.clone().unwrap_or_else(|| options.file.display().to_string());
    let text = read_text(&options.file)
        .with_context(|| format!("cannot read {name}; it must be a CSV file in UTF-8"))?;
    let (rows, faults) =
        parse(&text, options.change.must_change).map_err(|what| Misuse(format!("{name} {what}")))?;
    if !faults.is_empty() {
        show(&faults);
        bail!("{name} has {} wrong rows and nothing was changed: mend them and run it again", faults.len());
    }
    Ok(rows)
}

pub(super) async fn run(session: &Session, options: &AddMany, rows: Vec<Row>) -> Result<()> {
    let (engine, count) = (&session.node.engine, rows.len());
    let (good, mut faults) = check(engine, &session.actor, rows).await?;
    if options.dry_run {
        show(&faults);
        if !faults.is_empty() {
            bail!("{} of {count} mailboxes could not be made; nothing was changed", faults.len());
        }
        return session
            .answer(&json!({ "would_add": count }), &format!("all {count} mailboxes could be made"));
    }
    let (added, failed) = make_all(engine, &session.actor, good).await;
    faults.extend(failed);
    faults.sort_by_key(|fault| fault.line);
    answer(session, &added, &faults)?;
    if added.len() < count {
        show(&faults);
        bail!("{} of {count} mailboxes were made; run it again with the rest", added.len());
    }
    Ok(())
}

fn answer(session: &Session, added: &[MailboxAdded], faults: &[Fault]) -> Result<()> {
    let mut text = String::new();
    for mailbox in added {
        let _ =
            writeln!(text, "{}\t{}", mailbox.address, mailbox.one_time_password.as_deref().unwrap_or("-"));
    }
    let mailboxes: Vec<_> = added
        .iter()
        .map(|m| json!({ "address": m.address.to_string(), "one_time_password": m.one_time_password }))
        .collect();
    let failed: Vec<_> =
        faults.iter().map(|fault| json!({ "line": fault.line, "error": fault.what })).collect();
    session.answer(&json!({ "added": mailboxes, "failed": failed }), &text)
}

fn read_text(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(file)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Rows and mistakes; an error when the header is wrong, so that no row can be understood.
fn parse(text: &str, must_change_password: bool) -> Result<(Vec<Row>, Vec<Fault>), String> {
    // Excel writes a byte order mark, and semicolons where the comma is the decimal point, as in Vietnam.
    // It also ends lines with CRLF, of which csv counts the LF to the next line.
    let text = &text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| format!("line 1: {error}"))?.clone();
    let columns = columns(&header)?;
    let (mut rows, mut faults, mut lines) = (Vec::new(), Vec::new(), HashMap::new());
    for record in reader.records() {
        let record = record.map_err(|error| format!("cannot be read: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = row(&record, &columns, must_change_password).and_then(|new| {
            match lines.insert(new.address.clone(), line) {
                Some(earlier) => Err(format!("{} is on line {earlier} too", new.address)),
                None => Ok(new),
            }
        });
        match row {
            Ok(new) => rows.push(Row { line, new }),
            Err(what) => faults.push(Fault { line, what }),
        }
    }
    if rows.is_empty() && faults.is_empty() {
        return Err("has no row below the one that names the columns: one line for each mailbox".to_owned());
    }
    Ok((rows, faults))
}

/// Where each column is.
fn columns(header: &csv::StringRecord) -> Result<HashMap<&'static str, usize>, String> {
    let expected = format!("the first line names the columns: {}", COLUMNS.join(","));
    let mut columns = HashMap::new();
    for (index, title) in header.iter().enumerate() {
        let wanted = title.trim().to_lowercase();
        let Some(column) = COLUMNS.into_iter().find(|column| *column == wanted) else {
            return Err(format!("line 1: unknown column {title:?}; {expected}"));
        };
        if columns.insert(column, index).is_some() {
            return Err(format!("line 1: column {column} comes twice"));
        }
    }
    match COLUMNS.iter().take(2).find(|column| !columns.contains_key(*column)) {
        Some(missing) => Err(format!("line 1: no column {missing}; {expected}")),
        None => Ok(columns),
    }
}

fn row(
    record: &csv::StringRecord,
    columns: &HashMap<&'static str, usize>,
    must_change_password: bool,
) -> Result<NewMailbox, String> {
    if record.len() > columns.len() {
        return Err(format!("{} values for {} columns", record.len(), columns.len()));
    }
    let value = |column| {
        let text = columns.get(column).and_then(|index| record.get(*index));
        text.map(str::trim).filter(|text| !text.is_empty())
    };
    let address = value("address").ok_or("no address")?;
    let class = value("class").unwrap_or("person");
    Ok(NewMailbox {
        address: address.parse().map_err(|error| format!("{address:?}: {error}"))?,
        display_name: value("name").ok_or("no name")?.to_owned(),
        class: class.parse().map_err(|error: model::UnknownName| error.to_string())?,
        unit: value("unit").map(str::to_owned),
        quota_bytes: value("quota").map(size).transpose()?,
        password: value("password").map(str::to_owned),
        must_change_password,
    })
}

/// Parts what the database would refuse, as far as that can be told without trying, before any costly hashing.
async fn check(engine: &Engine, actor: &Actor, rows: Vec<Row>) -> Result<(Vec<Row>, Vec<Fault>)> {
    let domains: HashSet<DomainName> =
        engine.domains(actor).await?.into_iter().map(|domain| domain.name).collect();
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for row in rows {
        let address = &row.new.address;
        if !domains.contains(address.domain()) {
            faults.push(Fault { line: row.line, what: format!("there is no domain {}", address.domain()) });
        } else if engine.mailbox(actor, address).await?.is_some() {
            faults.push(Fault { line: row.line, what: format!("{address} is taken") });
        } else {
            good.push(row);
        }
    }
    Ok((good, faults))
}

/// Makes the mailboxes, on all processors; what was made, in the file's order, and what was not. Ctrl-C ends it
/// after the rows in work, so that the passwords of what was made are still shown.
async fn make_all(engine: &Engine, actor: &Actor, rows: Vec<Row>) -> (Vec<MailboxAdded>, Vec<Fault>) {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from) * ROWS_PER_PROCESSOR;
    let count = rows.len();
    let (mut added, mut faults, mut work) = (Vec::new(), Vec::new(), JoinSet::new());
    let mut rows = rows.into_iter();
    let mut stopped = false;
    loop {
        while !stopped
            && work.len() < at_once
            && let Some(row) = rows.next()
        {
            let (engine, actor) = (engine.clone(), actor.clone());
            work.spawn(async move { (row.line, engine.add_mailbox(&actor, &row.new).await) });
        }
        let done = tokio::select! {
            done = work.join_next() => done,
            _ = tokio::signal::ctrl_c(), if !stopped => {
                stopped = true;
                continue;
            }
        };
        match done {
            None => break,
            Some(Ok((line, Ok(mailbox)))) => added.push((line, mailbox)),
            Some(Ok((line, Err(error)))) => faults.push(Fault { line, what: error.to_string() }),
            Some(Err(error)) => faults.push(Fault { line: 0, what: error.to_string() }),
        }
        remark(added.len() + faults.len(), count);
    }
    added.sort_by_key(|(line, _)| *line);
    (added.into_iter().map(|(_, mailbox)| mailbox).collect(), faults)
}

/// For a person who waits: 30,000 passwords take minutes to hash.
fn remark(done: usize, count: usize) {
    if done.is_multiple_of(REMARK_EVERY) && std::io::stderr().is_terminal() {
        eprintln!("{done} of {count}");
    }
}

fn show(faults: &[Fault]) {
    for fault in faults.iter().take(SHOWN_MAX) {
        eprintln!("congthu: line {}: {}", fault.line, fault.what);
    }
    if faults.len() > SHOWN_MAX {
        eprintln!("congthu: and {} more", faults.len() - SHOWN_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::MailboxClass;

    #[test]
    fn reads_what_excel_writes() {
        let text = "\u{feff}Name;Address;Quota;Class\r\n\"Nguyễn Văn A\";nva@demo.gov.vn;2GB;leader\r\nVăn thư;vt@demo.gov.vn;;\r\n";
        let (rows, faults) = parse(text, true).unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].new.address.to_string(), "nva@demo.gov.vn");
        assert_eq!((rows[0].new.class, rows[0].new.quota_bytes), (MailboxClass::Leader, Some(2 << 30)));
        assert_eq!(
            (rows[1].line, rows[1].new.class, rows[1].new.quota_bytes),
            (3, MailboxClass::Person, None)
        );
        assert!(rows[1].new.must_change_password && rows[1].new.password.is_none());
    }

    #[test]
    fn each_mistake_has_its_line() {
        let text = "address,name,class\na@b.vn,A,\nnobody,B,\nc@b.vn,,\nd@b.vn,D,boss\na@b.vn,E,\nf@b.vn,F,person,7\n";
        let (rows, faults) = parse(text, true).unwrap();
        assert_eq!(rows.len(), 1);
        let found: Vec<_> = faults.iter().map(|fault| (fault.line, fault.what.as_str())).collect();
        assert_eq!(found[0], (3, "\"nobody\": an address is written local@domain"));
        assert_eq!(found[1], (4, "no name"));
        assert_eq!(found[2].0, 5);
        assert_eq!(found[3], (6, "a@b.vn is on line 2 too"));
        assert_eq!(found[4], (7, "4 values for 3 columns"));
    }

    #[test]
    fn a_wrong_header_is_refused_as_a_whole() {
        assert!(parse("address,colour\n", true).unwrap_err().contains("unknown column \"colour\""));
        assert!(parse("address\n", true).unwrap_err().contains("no column name"));
        assert!(parse("address,name,name\n", true).unwrap_err().contains("twice"));
        assert!(parse("", true).unwrap_err().contains("no column address"));
        assert!(parse("address,name\n", true).unwrap_err().contains("has no row"));
    }
}
