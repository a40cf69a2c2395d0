//! `congthu mailbox add-many FILE`: a whole province's mailboxes from one list, CSV or XLSX.
//!
//! Invariants: nothing is made while a row is wrong, unless that is asked for; an error names row and cell; a list that was cut off goes
//! on when it is given again; passwords that we make are shown once and kept nowhere.

mod columns;
pub(crate) mod passwords;
pub(super) mod sheet;
pub(crate) mod titles;

use super::mailbox::must_change;
use super::{Session, counted, opened};
use crate::Misuse;
use crate::cli::AddMany;
use anyhow::{Context as _, Result, bail};

use columns::Columns;
use engine::{
    AdminError, Batch, GrantError, Import, ImportRow, Imported, Issued, RowFault, RowPlan, import_digest,
};
use model::{Address, DomainName};
use passwords::Passwords;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::task::{Context, Waker};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Mistakes shown before the rest is only counted.
pub(super) const SHOWN_MAX: usize = 50;

/// A list that could be read.
#[derive(Debug)]
pub(super) struct List {
    file_name: String,
    columns: Columns,
    rows: Vec<ImportRow>,
    digest: [u8; 32],
}

/// Reads the file; nothing else is open yet.
pub(super) fn read(options: &AddMany) -> Result<List> {
    let (file, called) = opened(&options.file, options.file_name.as_deref());
    let file_name = called.display().to_string();
    let bytes = sheet::read(file).with_context(|| format!("cannot read {file_name}"))?;
    let misuse = |what: String| Misuse(format!("{file_name} {what}"));
    let (rows, is_workbook) = sheet::rows(&bytes).map_err(misuse)?;
    let (columns, rows) = Columns::find(rows, is_workbook).map_err(misuse)?;
    let rows = rows.iter().map(|row| columns.read(row)).collect();
    Ok(List { file_name, columns, rows, digest: import_digest(&bytes) })
}

pub(super) async fn run(session: &Session, options: &AddMany, list: List) -> Result<()> {
    let List { file_name, columns, rows, digest } = list;
    let domain = domain_of(options, &rows)?;
    let must_change = must_change(session, &domain, options.change).await?;
    let import = Import {
        domain,
        file_name,
        digest,
        rows,
        since: options.since,
        must_change_password: must_change,
        skip_bad: options.skip_bad,
    };
    let done = match options.dry_run {
        true => preview(session, &columns, &import).await,
        false => make(session, options, &columns, &import).await,
    };
    // Last, so that it stands below a long answer.
    for (letters, title) in columns.unused() {
        eprintln!(
            "congthu: column {letters}, {title:?}, is not understood and was not looked at (titles that are: \
             congthu mailbox add-many --help)"
        );
    }
    done
}

async fn make(session: &Session, options: &AddMany, columns: &Columns, import: &Import) -> Result<()> {
    let sheet = options.passwords.as_deref().map(Passwords::open).transpose()?;
    let mut telling = Telling { sheet, stop: Stop::new()?, issued: Vec::new(), count: import.rows.len() };
    let done = issue(session, options, import, &mut telling).await;
    let Telling { sheet, issued, .. } = telling;
    if let Some(left) = sheet.and_then(Passwords::close) {
        eprintln!("congthu: no password was made; {} is empty and can be deleted", left.display());
    }
    match done {
        Ok(imported) => answer(session, options, columns, (&imported, &issued)),
        Err(AdminError::Grant(GrantError::BadRows(faults))) => {
            show(columns, &faults);
            bail!(
                "{} wrong and nothing was made: mend that and run it again, or add --skip-bad",
                counted(faults.len(), "cell is", "cells are")
            );
        }
        Err(error) if issued.is_empty() => Err(error.into()),
        Err(error) => {
            // What was made keeps the passwords that are told here.
            answer(session, options, columns, (&Imported::default(), &issued))?;
            let told = counted(issued.len(), "password was", "passwords were");
            let context = format!("{told} told; run it again to go on");
            Err(anyhow::Error::from(error).context(context))
        }
    }
}

/// Mailboxes that are not there yet, and passwords anew where that is asked for.
async fn issue(
    session: &Session,
    options: &AddMany,
    import: &Import,
    telling: &mut Telling,
) -> Result<Imported, AdminError> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    let imported = engine.import_mailboxes(actor, import, &mut |batch| telling.take(batch)).await?;
    if options.reissue && imported.before > 0 {
        // Those that this run made have theirs.
        let made: HashSet<u32> = telling.issued.iter().map(|issued| issued.row).collect();
        let rows = import.rows.iter().map(|row| row.number).filter(|row| !made.contains(row));
        let rows: Vec<u32> = rows.collect();
        engine.reissue_import(actor, import, &rows, &mut |batch| telling.take(batch)).await?;
    }
    Ok(imported)
}

/// What becomes of the passwords of each batch.
struct Telling {
    sheet: Option<Passwords>,
    stop: Stop,
    issued: Vec<Issued>,
    count: usize,
}

impl Telling {
    fn take(&mut self, batch: Batch<'_>) -> std::io::Result<()> {
        match batch {
            // On the disk before the mailboxes are; told when they are.
            Batch::Made(made) => self.sheet.as_mut().map_or(Ok(()), |sheet| sheet.write(made)),
            Batch::Kept(made) => {
                self.issued.extend_from_slice(made);
                remark(self.issued.len(), self.count);
                self.stop.check()
            }
        }
    }
}

/// Ctrl-C and SIGTERM end a run between two batches: passwords that are told once are told.
struct Stop([Signal; 2]);

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]))
    }

    fn check(&mut self) -> std::io::Result<()> {
        let mut context = Context::from_waker(Waker::noop());
        match self.0.iter_mut().any(|signal| signal.poll_recv(&mut context).is_ready()) {
            true => Err(std::io::Error::other("it was stopped")),
            false => Ok(()),
        }
    }
}

/// The one that is named, else the one that all addresses are of.
fn domain_of(options: &AddMany, rows: &[ImportRow]) -> Result<DomainName> {
    if let Some(domain) = &options.domain {
        return Ok(domain.clone());
    }
    let of = |row: &ImportRow| Some(row.address.as_ref()?.parse::<Address>().ok()?.domain().clone());
    match rows.iter().find_map(of) {
        Some(domain) => Ok(domain),
        None => Err(Misuse("give --domain: no row has a whole address that would tell".to_owned()).into()),
    }
}

async fn preview(session: &Session, columns: &Columns, import: &Import) -> Result<()> {
    let plan = session.node.engine.preview_import(&session.actor, import).await?;
    // As without --dry-run: one row that is wrong holds all of them up.
    let is_held_up = !plan.faults.is_empty() && !import.skip_bad;
    let would = if is_held_up { 0 } else { plan.rows.len() };
    let shown = json!({
        "would_add": would, "good_rows": plan.rows.len(), "done_before": plan.done,
        "rows": plan.rows.iter().map(row_as_json).collect::<Vec<_>>(),
        "failed": faults_as_json(columns, &plan.faults), "columns_unused": unused_as_json(columns),
    });
    let mut text: String = plan.rows.iter().map(row_as_text).collect();
    let mailboxes = counted(would, "mailbox", "mailboxes");
    let _ = write!(text, "{mailboxes} would be made");
    if is_held_up {
        let rows = counted(plan.rows.len(), "row is", "rows are");
        let _ = write!(text, ", as cells are wrong ({rows} right, and would be made with --skip-bad)");
    }
    let _ = writeln!(text, ", made before: {}", plan.done);
    let nowhere = plan.rows.iter().filter(|row| row.unit.is_none()).count();
    if nowhere > 0 {
        let _ = writeln!(text, "{nowhere} of {} belong to no unit", plan.rows.len());
    }
    session.answer(&shown, &text)?;
    show(columns, &plan.faults);
    match counted(plan.faults.len(), "cell is", "cells are") {
        cells if is_held_up => bail!("{cells} wrong; nothing was changed"),
        cells if !plan.faults.is_empty() => {
            eprintln!("congthu: {cells} wrong; what is in such a row would be passed over");
        }
        _ => {}
    }
    Ok(())
}

fn row_as_text(row: &RowPlan) -> String {
    let dropped = match row.dropped.is_empty() {
        true => String::new(),
        false => format!("\tnot of the name: {}", row.dropped.join(", ")),
    };
    let doubt = row.warning.as_ref().map(|warning| format!("\tLOOK: {warning}")).unwrap_or_default();
    let unit = row.unit.as_ref().map_or_else(|| "-".to_owned(), |(code, name)| format!("{name} ({code})"));
    format!(
        "{}\t{}\t{}\t{unit}\t{}\t{}\t{} MB\t{}{dropped}{doubt}\n",
        row.row,
        row.address,
        row.name,
        row.position.as_deref().unwrap_or("-"),
        row.class.as_str(),
        row.quota_bytes >> 20,
        row.reason.as_deref().unwrap_or("-"),
    )
}

fn row_as_json(row: &RowPlan) -> Value {
    let (unit, unit_name) = row.unit.clone().unzip();
    json!({
        "row": row.row, "name": row.name, "address": row.address, "unit": unit, "unit_name": unit_name,
        "position": row.position, "class": row.class, "quota_bytes": row.quota_bytes, "rule": row.rule,
        "reason": row.reason, "dropped": row.dropped, "warning": row.warning,
    })
}

fn unused_as_json(columns: &Columns) -> Vec<Value> {
    columns.unused().iter().map(|(letters, title)| json!({ "column": letters, "title": title })).collect()
}

fn faults_as_json(columns: &Columns, faults: &[RowFault]) -> Vec<Value> {
    let fault = |fault: &RowFault| {
        let cell = columns.cell(fault.column, fault.row);
        json!({ "row": fault.row, "cell": cell, "column": titles::called(fault.column), "error": fault.what })
    };
    faults.iter().map(fault).collect()
}

fn answer(
    session: &Session,
    options: &AddMany,
    columns: &Columns,
    (imported, issued): (&Imported, &[Issued]),
) -> Result<()> {
    // On paper or on the screen, not on both.
    let password = |issued: &Issued| match options.passwords {
        Some(_) => None,
        None => issued.one_time_password.clone(),
    };
    let mut text = String::new();
    for issued in issued {
        let shown = password(issued).map(|password| format!("\t{password}")).unwrap_or_default();
        let _ = writeln!(text, "{}{shown}", issued.address);
    }
    text += &total(options, imported, issued.len());
    let added: Vec<Value> = issued
        .iter()
        .map(|issued| {
            json!({ "row": issued.row, "address": issued.address, "one_time_password": password(issued) })
        })
        .collect();
    let shown = json!({
        "import": imported.import, "added": added, "made": imported.made, "made_before": imported.before,
        "failed": faults_as_json(columns, &imported.faults), "warnings": faults_as_json(columns, &imported.warnings),
        "columns_unused": unused_as_json(columns),
    });
    session.answer(&shown, &text)?;
    show(columns, &imported.warnings);
    if imported.before > 0 {
        let mailboxes = counted(imported.before, "mailbox was", "mailboxes were");
        eprintln!("congthu: {mailboxes} made by an earlier run");
    }
    if !imported.faults.is_empty() {
        show(columns, &imported.faults);
        let cells = counted(imported.faults.len(), "cell is", "cells are");
        eprintln!("congthu: {cells} wrong; what is in such a row was passed over");
    }
    Ok(())
}

/// What the run comes to; nothing of one that failed, which says itself how far it came.
fn total(options: &AddMany, imported: &Imported, issued: usize) -> String {
    if imported.made + imported.before == 0 {
        return String::new();
    }
    let mut text = format!("{} made", counted(imported.made, "mailbox", "mailboxes"));
    let anew = issued.saturating_sub(imported.made);
    if anew > 0 {
        let _ = write!(text, ", {} made anew", counted(anew, "password", "passwords"));
    }
    if let Some(file) = options.passwords.as_ref().filter(|_| issued > 0) {
        let _ = write!(text, "; one-time passwords are in {}", passwords::place(file).display());
    }
    text
}

fn show(columns: &Columns, faults: &[RowFault]) {
    for fault in faults.iter().take(SHOWN_MAX) {
        let cell = columns.cell(fault.column, fault.row);
        eprintln!(
            "congthu: row {}, cell {cell} ({}): {}",
            fault.row,
            titles::called(fault.column),
            fault.what
        );
    }
    if faults.len() > SHOWN_MAX {
        eprintln!("congthu: and {} more", faults.len() - SHOWN_MAX);
    }
}

/// For a person who waits.
fn remark(done: usize, count: usize) {
    if std::io::stderr().is_terminal() {
        eprintln!("{done} of {count}");
    }
}
