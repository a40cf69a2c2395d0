//! `congthu mailbox add-many FILE`: a whole province's mailboxes from one list, CSV or XLSX.
//!
//! Invariants: nothing is made while a row is wrong, unless that is asked for; an error names row and cell; a list that was cut off goes
//! on when it is given again; passwords that we make are shown once and kept nowhere.

mod columns;
pub(crate) mod passwords;
pub(super) mod sheet;

use super::mailbox::must_change;
use super::{Session, counted, opened};
use crate::Misuse;
use crate::cli::AddMany;
use anyhow::{Context as _, Result, bail};

use columns::Columns;
use engine::{
    AdminError, Batch, Column, GrantError, Import, ImportPlan, ImportRow, Imported, Issued, RowFault,
    RowPlan, import_digest,
};
use model::{Address, DomainName};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
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
    if !columns.unused().is_empty() {
        eprintln!("congthu: columns that are not looked at: {}", columns.unused().join(", "));
    }
    let rows = rows.iter().map(|row| columns.read(row)).collect();
    Ok(List { file_name, columns, rows, digest: import_digest(&bytes) })
}

pub(super) async fn run(session: &Session, options: &AddMany, list: List) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
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
    if options.dry_run {
        let plan = engine.preview_import(actor, &import).await?;
        return preview(session, &columns, &plan);
    }
    let file = options.passwords.as_deref().map(passwords::open).transpose()?;
    let mut telling = Telling { file, stop: Stop::new()?, issued: Vec::new(), count: import.rows.len() };
    let mut done = engine.import_mailboxes(actor, &import, &mut |batch| telling.take(batch)).await;
    if let (true, Ok(imported)) = (options.reissue, &done)
        && imported.before > 0
    {
        let imported = imported.clone();
        // Those that this run made have theirs.
        let made: HashSet<u32> = telling.issued.iter().map(|issued| issued.row).collect();
        let rows: Vec<u32> = import.rows.iter().map(|row| row.number).collect();
        let rows: Vec<u32> = rows.into_iter().filter(|row| !made.contains(row)).collect();
        let again = engine.reissue_import(actor, &import, &rows, &mut |batch| telling.take(batch)).await;
        done = again.map(|_| imported);
    }
    let issued = telling.issued;
    match done {
        Ok(imported) => answer(session, options, &columns, (&imported, &issued)),
        Err(AdminError::Grant(GrantError::BadRows(faults))) => {
            show(&columns, &faults);
            bail!(
                "{} wrong and nothing was made: mend that and run it again, or add --skip-bad",
                counted(faults.len(), "cell is", "cells are")
            );
        }
        Err(error) if issued.is_empty() => Err(error.into()),
        Err(error) => {
            // What was made keeps the passwords that are told here.
            answer(session, options, &columns, (&Imported::default(), &issued))?;
            let told = counted(issued.len(), "password was", "passwords were");
            let context = format!("{told} told; run it again to go on");
            Err(anyhow::Error::from(error).context(context))
        }
    }
}

/// What becomes of the passwords of each batch.
struct Telling {
    file: Option<File>,
    stop: Stop,
    issued: Vec<Issued>,
    count: usize,
}

impl Telling {
    fn take(&mut self, batch: Batch<'_>) -> std::io::Result<()> {
        match batch {
            // On the disk before the mailboxes are; told when they are.
            Batch::Made(made) => self.file.as_mut().map_or(Ok(()), |file| passwords::write(file, made)),
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

fn preview(session: &Session, columns: &Columns, plan: &ImportPlan) -> Result<()> {
    let mut text = String::new();
    for row in &plan.rows {
        let dropped = match row.dropped.is_empty() {
            true => String::new(),
            false => format!("\tnot of the name: {}", row.dropped.join(", ")),
        };
        let doubt = row.warning.as_ref().map(|warning| format!("\tLOOK: {warning}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{} MB\t{}{dropped}{doubt}",
            row.row,
            row.address,
            row.name,
            row.class.as_str(),
            row.quota_bytes >> 20,
            row.reason.as_deref().unwrap_or("-"),
        );
    }
    let shown = json!({
        "would_add": plan.rows.len(), "done_before": plan.done,
        "rows": plan.rows.iter().map(row_as_json).collect::<Vec<_>>(),
        "failed": faults_as_json(columns, &plan.faults),
    });
    let mailboxes = counted(plan.rows.len(), "mailbox", "mailboxes");
    let _ = writeln!(text, "{mailboxes} would be made, made before: {}", plan.done);
    session.answer(&shown, &text)?;
    if plan.faults.is_empty() {
        return Ok(());
    }
    show(columns, &plan.faults);
    bail!("{} wrong; nothing was changed", counted(plan.faults.len(), "cell is", "cells are"));
}

fn row_as_json(row: &RowPlan) -> Value {
    json!({
        "row": row.row, "name": row.name, "address": row.address, "class": row.class,
        "quota_bytes": row.quota_bytes, "rule": row.rule, "reason": row.reason, "dropped": row.dropped,
        "warning": row.warning,
    })
}

fn faults_as_json(columns: &Columns, faults: &[RowFault]) -> Vec<Value> {
    let fault = |fault: &RowFault| {
        let cell = columns.cell(fault.column, fault.row);
        json!({ "row": fault.row, "cell": cell, "column": title(fault.column), "error": fault.what })
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
    if let Some(file) = &options.passwords {
        let _ = write!(text, "; one-time passwords are in {}", passwords::place(file).display());
    }
    text
}

fn show(columns: &Columns, faults: &[RowFault]) {
    for fault in faults.iter().take(SHOWN_MAX) {
        let cell = columns.cell(fault.column, fault.row);
        eprintln!("congthu: row {}, cell {cell} ({}): {}", fault.row, title(fault.column), fault.what);
    }
    if faults.len() > SHOWN_MAX {
        eprintln!("congthu: and {} more", faults.len() - SHOWN_MAX);
    }
}

const fn title(column: Column) -> &'static str {
    match column {
        Column::Name => "name",
        Column::Unit => "unit",
        Column::Position => "position",
        Column::Class => "class",
        Column::Quota => "quota",
        Column::Address => "address",
        Column::BirthYear => "birth year",
        Column::Password => "password",
    }
}

/// For a person who waits.
fn remark(done: usize, count: usize) {
    if std::io::stderr().is_terminal() {
        eprintln!("{done} of {count}");
    }
}
