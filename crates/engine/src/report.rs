//! Delivery status notifications (RFC 3464, RFC 6533): telling a sender what became of his message, in Vietnamese and English,
//! for people first.
//!
//! Invariants: the return path of a report is null, so no report is ever answered by one; a report goes to a mailbox of ours
//! only when somebody had logged in to send the message, else whoever forges an address of ours would have it told (backscatter);
//! it is put where it belongs in the transaction of what it tells.

mod own;
mod written;

pub(crate) use own::Manner;

use crate::deliver::Arrival;
use crate::expansion::{Meant, Missed, Why};
use crate::intake::{Permit, Prepared};
use crate::recipients::Kind;
use crate::{Engine, Error, Recipient, trace_query};
use jiff::{SignedDuration, Timestamp};
use model::queue::{Answer, Needs, Notify, Priority, Schedule, TLS_REPORTS_TO};
use model::{AccountId, Address};
use store::{
    Event, MailBack, MailBackTo, NewContent, NewOutgoing, NewOutgoingPart, NewOutgoingRecipient, Target,
};

/// Octets of the original that come back: of a larger one, its header.
pub(crate) const ORIGINAL_BYTES_MAX: u64 = 1 << 20;
/// Octets of a report to whoever wants to hear that his message has arrived: its header, and some hundred for each recipient.
pub(crate) const RECEIPT_BYTES_MAX: u64 = 1 << 20;

/// Of those in a group who do not get a message so many are named: a report is to be read.
const MISSED_TOLD_MAX: usize = 100;

/// What became of a recipient (RFC 3464 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Failed,
    Delayed,
    /// It lies in a mailbox here.
    Delivered,
    /// The next host has it, and tells nothing more.
    Relayed,
    /// It went to a group.
    Expanded,
    /// An administrator has had it sent to somebody else, whom the answer names.
    Redirected,
}

/// A recipient that is reported.
#[derive(Clone, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) address: &'a str,
    /// ORCPT as it came.
    pub(crate) original: Option<&'a str>,
    /// Our address that was written to, where it passes its mail on to this one, which the sender does not learn.
    pub(crate) written: Option<&'a str>,
    pub(crate) what: What,
    pub(crate) answer: Answer,
    /// When that was said; `None`: now.
    pub(crate) at: Option<Timestamp>,
}

/// What a report says, and of which message.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    /// Return path of the message.
    pub(crate) sender: &'a str,
    /// Who submitted it.
    pub(crate) account: Option<AccountId>,
    pub(crate) envid: Option<&'a str>,
    /// As [`Event::about`].
    pub(crate) about: &'a str,
    pub(crate) requiretls: bool,
    pub(crate) accepted_at: Timestamp,
    /// Of what is late: until when it is tried.
    pub(crate) give_up_at: Option<Timestamp>,
    /// Never none, and all of the same kind.
    pub(crate) told: Vec<Told<'a>>,
    /// The message without our Return-Path: all of it, or its header.
    pub(crate) original: Vec<u8>,
    pub(crate) is_whole: bool,
}

/// A report that is ready to be put where it belongs.
#[derive(Debug)]
pub(crate) struct Mail {
    content: NewContent,
    queue_id: String,
    trace: String,
    about: String,
    needs: Needs,
    priority: Priority,
    give_up_after: SignedDuration,
    to: To,
}

#[derive(Clone, Debug)]
enum To {
    Here(Target),
    /// Destination and address.
    There(String, String),
}

impl Mail {
    /// To servers whose TLS is not as it should be, too (RFC 8460 3).
    pub(crate) fn despite_tls(self) -> Self {
        let to = match self.to {
            To::There(domain, address) => To::There(format!("{TLS_REPORTS_TO}{domain}"), address),
            here @ To::Here(_) => here,
        };
        Self { to, ..self }
    }

    /// The mailbox here that it is put into.
    pub(crate) fn account(&self) -> Option<AccountId> {
        match &self.to {
            To::Here(target) => Some(target.account),
            To::There(..) => None,
        }
    }

    /// Where in the queue it goes.
    pub(crate) fn destination(&self) -> Option<&str> {
        match &self.to {
            To::Here(_) => None,
            To::There(domain, _) => Some(domain),
        }
    }

    pub(crate) fn back(&self, engine: &Engine, at: Timestamp) -> MailBack<'_> {
        let to = match &self.to {
            To::Here(target) => MailBackTo::Here(target.clone()),
            To::There(domain, address) => MailBackTo::There(Box::new(self.outgoing(domain, address, at))),
        };
        let status = if matches!(self.to, To::Here(_)) { "delivered" } else { "queued" };
        let own = Event::of_own_mail(engine.now().max(at), &self.trace, self.content.size, &self.about);
        let event = Event { status: Some(status), ..own };
        MailBack { content: self.content.clone(), to, event }
    }

    fn outgoing(&self, domain: &str, address: &str, at: Timestamp) -> NewOutgoing<'_> {
        let recipient = NewOutgoingRecipient {
            address: address.to_owned(),
            orcpt: None,
            notify: Notify::NEVER,
            passed_on: None,
        };
        let give_up_at = at.saturating_add(self.give_up_after).unwrap_or(Timestamp::MAX);
        NewOutgoing {
            queue_id: &self.queue_id,
            sender: "",
            sent_as: None,
            account: None,
            ret: None,
            envid: None,
            needs: self.needs,
            about: &self.about,
            priority: self.priority,
            due_at: at,
            warn_at: None,
            give_up_at,
            is_kept_back: false,
            parts: vec![NewOutgoingPart { destination: domain.to_owned(), recipients: vec![recipient] }],
        }
    }

    /// After the commit: whoever has the mailbox open sees it.
    pub(crate) fn tell(&self, engine: &Engine) {
        if let To::Here(target) = &self.to {
            engine.0.hub.tell(target.account);
        }
    }
}

impl Arrival {
    /// Does its sender hear that somebody has it, where he asked to (RFC 3461 4.1)? Only who logged in, or was shown to be the
    /// sender: anybody may name anybody, and have him told.
    pub(crate) fn hears_of_success(&self) -> bool {
        let shown = self.examined.as_ref().is_some_and(|examined| examined.evidence.shows_sender());
        self.principal.is_some() || shown
    }

    /// Does its sender hear that mail which goes on by itself has not got there? Not who may have been named by somebody else, as he never
    /// wrote it (backscatter). Where nothing is looked at, nobody is known to be forged.
    pub(crate) fn hears_of_failure(&self) -> bool {
        let Some(examined) = &self.examined else { return true };
        let domain = self.sender.as_ref().and_then(|sender| sender.as_str().rsplit_once('@'));
        let is_signed = domain.is_some_and(|(_, domain)| examined.evidence.is_signed_by(domain));
        self.hears_of_success() || is_signed
    }
}

impl Engine {
    /// Of a message that was accepted here and now: that those have it of whom its sender wanted to hear (RFC 3461 4.1). In the
    /// room of the message, for which [`RECEIPT_BYTES_MAX`] was asked with it.
    pub(crate) async fn receipt(
        &self,
        arrival: &Arrival,
        recipients: &[&Recipient],
        (message, about): (&Prepared, &str),
    ) -> Result<Option<Mail>, store::Error> {
        let asked: Vec<&&Recipient> =
            recipients.iter().filter(|to| arrival.hears_of_success() && to.is_told_of_success()).collect();
        let Some(sender) = arrival.sender.as_ref().filter(|_| !asked.is_empty()) else { return Ok(None) };
        let addresses: Vec<String> = asked.iter().map(|to| to.address().to_string()).collect();
        let told = asked.iter().zip(&addresses).map(|(to, address)| Told {
            address,
            original: to.original(),
            written: None,
            what: if matches!(to.kind(), Kind::Group(_)) { What::Expanded } else { What::Delivered },
            answer: Answer::ours(model::queue::Status(2, 1, 5), "delivered"),
            at: None,
        });
        let report = Report {
            sender: sender.as_str(),
            account: arrival.principal.as_ref().map(|who| who.own().account()),
            envid: arrival.wishes.envid.as_deref(),
            about,
            requiretls: arrival.wishes.requiretls,
            accepted_at: self.now(),
            give_up_at: None,
            told: told.collect(),
            original: without_return_path(message.header_alone(0)).to_vec(),
            is_whole: false,
        };
        self.write_report(&report, Some(message.permit())).await
    }

    /// Of a message that was accepted: who in a group does not get it (A16, C2), and whose rules reject it (RFC 5429). Strangers are
    /// not told who is in a group, and who was not shown to be the sender nothing.
    pub(crate) async fn report_missed(
        &self,
        arrival: &Arrival,
        (meant, recipients): (&Meant, &[&Recipient]),
        (message, about): (&Prepared, &str),
    ) -> Result<Option<Mail>, store::Error> {
        let wants = |missed: &&Missed| {
            if !arrival.hears_of_success() {
                return false;
            }
            let mut to = recipients.iter().filter(|to| to.address().to_string() == missed.by);
            to.all(|to| to.notify().asks_for(Notify::FAILURE))
        };
        let account = arrival.principal.as_ref().map(|who| who.own().account());
        let mut told: Vec<Told<'_>> = Vec::new();
        for missed in meant.missed.iter().filter(wants).take(MISSED_TOLD_MAX) {
            let address = if account.is_some() { &missed.address } else { &missed.by };
            let (status, text) = match &missed.why {
                Why::Full => ((5, 2, 2), "a mailbox in this group is full"),
                Why::Restricted => ((5, 7, 2), "a group in this group takes no mail of this sender"),
                Why::Rejected(reason) => ((5, 7, 1), reason.as_str()),
            };
            if told.iter().all(|other| other.address != address) {
                let answer = Answer::ours(model::queue::Status(status.0, status.1, status.2), text);
                let what = What::Failed;
                told.push(Told { address, original: None, written: None, what, answer, at: None });
            }
        }
        let Some(sender) = arrival.sender.as_ref().filter(|_| !told.is_empty()) else { return Ok(None) };
        let report = Report {
            sender: sender.as_str(),
            account,
            envid: arrival.wishes.envid.as_deref(),
            about,
            requiretls: arrival.wishes.requiretls,
            accepted_at: self.now(),
            give_up_at: None,
            told,
            original: without_return_path(message.header_alone(0)).to_vec(),
            is_whole: false,
        };
        self.write_report(&report, Some(message.permit())).await
    }

    /// `None`: nobody is to be told. `room`: as for [`Engine::prepare_own`].
    pub(crate) async fn write_report(
        &self,
        report: &Report<'_>,
        room: Option<Permit>,
    ) -> Result<Option<Mail>, store::Error> {
        let damaged = |_: Error| store::Error::Damaged("a report could not be prepared");
        let Some((to, from)) = self.back_to(report.sender, report.account).await.map_err(damaged)? else {
            return Ok(None);
        };
        let mut written = self.compose_report(report, &from);
        if matches!(to, To::There(..)) {
            // Under a null return path it is the name in HELO that SPF asks for: a signature shows whose it is everywhere.
            let keys = self.reporter().await.map_err(damaged)?.keys;
            written = self.signed_now(&written, &keys).unwrap_or(written);
        }
        let (prepared, queue_id, origin) = self.prepare_own(&written, &[], room).await.map_err(damaged)?;
        let content = self.write_content(&prepared).await?;
        let needs = Needs {
            eight_bit: prepared.is_eight_bit(),
            smtputf8: !report.sender.is_ascii() || written::is_global(report),
            // RFC 8689 5
            requiretls: report.requiretls,
        };
        let about = trace_query::about(&queue_id, &prepared.facts);
        let (trace, priority) = (origin.trace_text(), Priority::Report);
        let give_up_after = Schedule::default().give_up_after;
        Ok(Some(Mail { content, queue_id, trace, about, needs, priority, give_up_after, to }))
    }

    /// Is there anybody who is told of a message with this return path?
    pub(crate) async fn is_anybody_told(
        &self,
        sender: &str,
        account: Option<AccountId>,
    ) -> Result<bool, Error> {
        Ok(self.back_to(sender, account).await?.is_some())
    }

    /// Whom a report of a message with this return path goes to, and from which address of ours.
    async fn back_to(&self, sender: &str, account: Option<AccountId>) -> Result<Option<(To, String)>, Error> {
        let Some((_, domain)) = sender.rsplit_once('@') else { return Ok(None) };
        let address = sender.parse::<Address>().ok();
        let local = match &address {
            Some(address) => self.is_local_domain(address.domain()).await?,
            None => false,
        };
        if !local {
            // Forwarded mail of somebody elsewhere, or mail of his that he asked to hear of.
            let to = To::There(domain.to_lowercase(), sender.to_owned());
            return Ok(Some((to, format!("postmaster@{}", self.hostname()))));
        }
        let (Some(address), Some(account)) = (address, account) else { return Ok(None) };
        let target = match self.recipient(&address).await.as_ref().map(Recipient::kind) {
            Ok(Kind::Mailbox { account, inbox, .. }) => Some((*account, *inbox)),
            _ => self.0.store.notice_place(account).await?.map(|place| (account, place.inbox)),
        };
        let Some((account, folder)) = target else { return Ok(None) };
        let Some(place) = self.0.store.notice_place(account).await? else { return Ok(None) };
        let policy = self.policy_of(place.domain).await?;
        let from = format!("{}@{}", policy.contact.support, place.address.domain());
        Ok(Some((To::Here(Target { account, folder, recipient: Some(sender.to_owned()), room: None }), from)))
    }
}

/// RFC 5321 4.4: what leaves bears no Return-Path of ours.
pub(crate) fn without_return_path(message: &[u8]) -> &[u8] {
    let is_ours = message.starts_with(b"Return-Path: <");
    let end = if is_ours { memchr::memmem::find(message, b"\r\n").map_or(0, |at| at + 2) } else { 0 };
    message.get(end..).unwrap_or_default()
}
