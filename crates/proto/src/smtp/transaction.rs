//! The envelope: MAIL, RCPT, RSET, and what a transaction has gathered.

use super::content::{ChunkWatch, too_large};
use super::exchange::{Answer, Request, Role};
use super::params::{self, Offered};
use super::reply::Reply;
use super::session::{Asked, Session, Stage};

/// From an accepted MAIL to the reply for its message.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) smtputf8: bool,
    /// Accepted recipients.
    pub(super) recipients: u32,
    /// A recipient was refused.
    refused: bool,
    /// Set by the first BDAT.
    pub(super) chunks: Option<ChunkWatch>,
}

impl Transaction {
    pub(super) fn stage(&self) -> Stage {
        match (&self.chunks, self.recipients) {
            (Some(_), _) => Stage::Chunks,
            (None, 0) => Stage::Mail { refused: self.refused },
            (None, _) => Stage::Rcpt,
        }
    }
}

/// RFC 5321 4.1.1.2
pub(super) fn mail(session: &mut Session, args: &str) -> Result<(), Reply> {
    let settings = &session.settings;
    if session.messages >= settings.limits.messages {
        return Err(Reply::new(421, (7, 0), "Too many messages on one connection; connect again"));
    }
    let offered = Offered {
        auth: settings.role == Role::Submission,
        dsn: settings.role != Role::Lmtp,
        requiretls: session.tls && settings.role != Role::Lmtp,
        hold: settings.future_release,
    };
    let mail = params::mail(args, offered)?;
    // RFC 1870 6.1
    if mail.size.is_some_and(|size| size > settings.message_bytes_max) {
        return Err(too_large());
    }
    session.ask(Asked::Mail { smtputf8: mail.smtputf8 }, Request::Mail(mail));
    Ok(())
}

pub(super) fn mail_answered(session: &mut Session, smtputf8: bool, answer: Answer) {
    match answer {
        Answer::Accept | Answer::Delivered(_) => {
            session.transaction = Some(Transaction { smtputf8, recipients: 0, refused: false, chunks: None });
            session.reply(&Reply::new(250, (1, 0), "Sender OK"));
        }
        Answer::Refuse(reply) => session.refuse(&reply),
    }
}

/// RFC 5321 4.1.1.3
pub(super) fn rcpt(session: &mut Session, args: &str) -> Result<(), Reply> {
    let limits = session.settings.limits;
    let Some(transaction) = &session.transaction else {
        return Err(Reply::new(503, (5, 1), "Send MAIL first"));
    };
    let recipient = params::rcpt(args, transaction.smtputf8, session.settings.role != Role::Lmtp)?;
    // RFC 5321 4.5.3.1.10: 452, so that the client sends the rest in another transaction. Not an error of its.
    if transaction.recipients >= limits.recipients {
        session.reply(&Reply::new(452, (5, 3), "Too many recipients"));
        return Ok(());
    }
    let refused_max = match session.recipient_accepted {
        true => limits.refused_recipients,
        false => limits.refused_recipients.min(limits.refused_recipients_alone),
    };
    if session.refused_recipients >= refused_max {
        return Err(Reply::new(421, (7, 0), "Too many recipients that do not exist; closing"));
    }
    session.ask(Asked::Recipient, Request::Recipient(recipient));
    Ok(())
}

/// A refused recipient is not counted as an error: a list with stale addresses must still reach the others.
pub(super) fn rcpt_answered(session: &mut Session, answer: Answer) {
    let refusal = match answer {
        Answer::Accept | Answer::Delivered(_) => None,
        Answer::Refuse(reply) => Some(reply),
    };
    if let Some(transaction) = &mut session.transaction {
        match refusal {
            None => transaction.recipients += 1,
            Some(_) => transaction.refused = true,
        }
    }
    match refusal {
        None => session.recipient_accepted = true,
        Some(_) => session.refused_recipients = session.refused_recipients.saturating_add(1),
    }
    session.reply(&refusal.unwrap_or_else(|| Reply::new(250, (1, 5), "Recipient OK")));
}

/// RFC 5321 4.1.1.5
pub(super) fn rset(session: &mut Session, _args: &str) -> Result<(), Reply> {
    session.reset();
    session.reply(&Reply::new(250, (0, 0), "OK"));
    Ok(())
}
