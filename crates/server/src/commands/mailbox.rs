//! `congthu mailbox …`

use super::mailboxes::{alias_as_text, as_json, last_use};
use super::{
    Prepared, Session, add_many, counted, forward, leave, life, mailboxes, named, person, read_password,
};
use crate::Misuse;
use crate::cli::{AddMailbox, ChangeOptions, MailboxCommand, PasswordOptions};
use crate::passwords;
use crate::system::OsRng;
use anyhow::{Context as _, Result, bail};
use engine::{NewMailbox, Owner};
use model::calendar::local_text;
use model::{Address, DomainName, MailboxClass};
use serde_json::json;
use std::io::IsTerminal as _;

pub(super) async fn run(session: &Session, command: &MailboxCommand, prepared: Prepared) -> Result<()> {
    match command {
        MailboxCommand::Add(add) => make(session, add, prepared.password).await,
        MailboxCommand::AddMany(options) => match prepared.list {
            Some(list) => add_many::run(session, options, list).await,
            None => Ok(()),
        },
        MailboxCommand::List(options) => mailboxes::list(session, options).await,
        MailboxCommand::Show { address } => show(session, address).await,
        MailboxCommand::Delete { address, now: true, reason: Some(reason), without_export } => {
            delete(session, address, reason, *without_export).await
        }
        MailboxCommand::Delete { address, .. } => Err(Misuse(format!(
            "a mailbox goes by the deletion list: congthu mailbox revoke {address} --reason \"…\", then export and confirm-deletion; \
             at once and for good: --now --reason \"…\""
        ))
        .into()),
        MailboxCommand::Life(command) => life::run(session, command, prepared.answer).await,
        MailboxCommand::Passwd { address, password, reason } => {
            set_password(session, address, *password, prepared.password, reason).await
        }
    }
}

/// The password on standard input, if it comes from there.
pub(super) fn read_new_password(add: &AddMailbox) -> Result<Option<String>> {
    add.password.password_stdin.then(read_password).transpose()
}

/// The password on standard input; without one, a password is made.
pub(super) fn read_changed_password(options: PasswordOptions) -> Result<Option<String>> {
    options.password_stdin.then(read_password).transpose()
}

async fn make(session: &Session, add: &AddMailbox, password: Option<String>) -> Result<()> {
    if let Some(domain) = &add.domain {
        return named::make(session, add, domain, password).await;
    }
    let Some(address) = &add.address else {
        return Err(Misuse("give the address of the new mailbox".to_owned()).into());
    };
    let must_change_password = must_change(session, address.domain(), add.password.change).await?;
    let new = NewMailbox {
        address: address.clone(),
        display_name: add.name.clone(),
        class: add.class,
        unit: add.unit.clone(),
        quota_bytes: add.quota,
        password,
        must_change_password,
    };
    let owner = owner(session, add, address.domain()).await?;
    let made = session.node.engine.add_mailbox_of(&session.actor, &new, owner).await;
    let added = made.context(address.clone())?;
    if added.person.is_none() && matches!(add.class, MailboxClass::Person | MailboxClass::Leader) {
        // For whoever typed it; what a program reads is standard output.
        let domain = address.domain();
        eprintln!(
            "{address} is nobody's yet; whose it is: congthu person link {domain} {address} --unit CODE"
        );
    }
    let shown = added.address.to_string();
    match added.one_time_password {
        Some(password) => show_password(session, &added.address, &password, must_change_password).await,
        None => session.answer(&json!({ "address": shown }), &shown),
    }
}

/// Who is meant by the name of a new mailbox.
async fn owner(session: &Session, add: &AddMailbox, domain: &DomainName) -> Result<Owner> {
    let says = add.person.is_some() || add.another_person || add.birth_year.is_some();
    if says && add.unit.is_none() {
        let what =
            "--person, --another-person and --birth-year go with --unit CODE, where the person belongs";
        return Err(Misuse(what.to_owned()).into());
    }
    let person = match &add.person {
        Some(whom) => Some(person::number_of(session, domain, whom).await?),
        None => None,
    };
    Ok(Owner { person, another_person: add.another_person, birth_year: add.birth_year })
}

/// Whether a password that somebody else knows has to be changed at the first log-in: as the domain's policy has it, unless said
/// otherwise.
pub(super) async fn must_change(
    session: &Session,
    domain: &DomainName,
    change: ChangeOptions,
) -> Result<bool> {
    if change.must_change || change.no_password_change {
        return Ok(change.must_change);
    }
    let version = session.node.engine.policy(&session.actor, domain).await?;
    Ok(version.policy.password.change_at_first_login)
}

/// A password that we made; it is kept nowhere. `must_change`: its term is over after some days.
async fn show_password(
    session: &Session,
    address: &Address,
    password: &str,
    must_change: bool,
) -> Result<()> {
    let term = if must_change { term(session, address.domain()).await } else { String::new() };
    session.answer(
        &json!({ "address": address.to_string(), "one_time_password": password }),
        &format!("{address}\n{}", told_password(password, &term, session.node.engine.password_page())),
    )
}

/// A password that we made, and where its owner makes it his own.
pub(super) fn told_password(password: &str, term: &str, page: &str) -> String {
    format!("password, shown only now: {password}{term}\nits owner changes it at {page}")
}

/// How long a one-time password of the domain is good for, to whoever may know its policy.
pub(super) async fn term(session: &Session, domain: &DomainName) -> String {
    let policy = session.node.engine.policy(&session.actor, domain).await;
    let days = policy.map(|version| version.policy.password.one_time_days);
    days.map(|days| format!(" (good for {})", counted(days, "day", "days"))).unwrap_or_default()
}

async fn show(session: &Session, address: &Address) -> Result<()> {
    let Some(mailbox) = session.node.engine.mailbox(&session.actor, address).await? else {
        return Err(unknown(address));
    };
    let aliases = mailbox.aliases.iter().map(alias_as_text).collect::<Vec<_>>().join(", ");
    let (standing, told) = life::standing(session, address).await?;
    let (leaves, away) = leave::ahead(session, address).await?;
    let (forwarding, goes) = forward::of(session, address).await?;
    let goes = goes.map(|goes| format!("\nforwards  {goes}")).unwrap_or_default();
    let text = format!(
        "address   {}\nname      {}\nclass     {}\nstate     {}\nunit      {}\naliases   {aliases}\nused      {} of {}\n\
         messages  {}\nmade      {}\nlast use  {}{goes}{away}{told}",
        mailbox.address,
        mailbox.display_name,
        mailbox.class.as_str(),
        mailbox.state.as_str(),
        mailbox.unit.as_deref().unwrap_or("-"),
        megabytes(mailbox.used_bytes),
        megabytes(mailbox.quota_bytes),
        mailbox.messages,
        local_text(mailbox.created_at),
        last_use(&mailbox),
    );
    let mut json = as_json(&mailbox);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("life".to_owned(), standing);
        fields.insert("leaves".to_owned(), leaves);
        fields.insert("forwarding".to_owned(), forwarding);
    }
    session.answer(&json, &text)
}

async fn delete(session: &Session, address: &Address, reason: &str, without_export: bool) -> Result<()> {
    if std::io::stdin().is_terminal() && !is_sure(address)? {
        bail!("{address} is kept");
    }
    let (engine, actor) = (&session.node.engine, &session.actor);
    let leads_here = forward::to(session, address).await?;
    let deleted = match without_export {
        true => engine.delete_without_export(actor, address, reason).await?,
        false => engine.delete_mailbox(actor, address, reason).await?,
    };
    if !deleted {
        return Err(unknown(address));
    }
    let last = engine.backups_until(actor, address.domain()).await?;
    session.answer(
        &json!({
            "address": address.to_string(), "deleted": true, "backups_until": last,
            "forwardings_stopped": forward::left_as_json(&leads_here),
        }),
        &format!(
            "{address} is deleted; backups may hold its mail until {last}{}",
            forward::tell_left(&leads_here)
        ),
    )
}

/// Asks a person at a terminal; a script is taken at its word.
fn is_sure(address: &Address) -> Result<bool> {
    eprint!("Delete {address} with all its mail, for good? Its address is never given out again. [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("the answer cannot be read")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "c" | "có"))
}

async fn set_password(
    session: &Session,
    address: &Address,
    options: PasswordOptions,
    given: Option<String>,
    reason: &str,
) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    let shown = address.to_string();
    let must_change = must_change(session, address.domain(), options.change).await?;
    if given.is_none() && must_change {
        let password = engine.reset_password(actor, address, reason).await.context(address.clone())?;
        return show_password(session, address, &password.ok_or_else(|| unknown(address))?, true).await;
    }
    let password = given.clone().unwrap_or_else(|| passwords::make(&OsRng));
    let set = engine.set_password(actor, address, &password, must_change, reason).await;
    if !set.context(address.clone())? {
        return Err(unknown(address));
    }
    match given {
        None => show_password(session, address, &password, false).await,
        Some(_) => session.answer(&json!({ "address": shown }), &format!("{shown} has the new password")),
    }
}

fn unknown(address: &Address) -> anyhow::Error {
    anyhow::anyhow!("there is no mailbox {address}; see congthu mailbox list")
}

/// 1 MB = 2^20 bytes, as quotas are counted; rounded up, so that only an empty mailbox shows 0.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}
