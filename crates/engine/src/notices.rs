//! System mail (thư hệ thống): warnings, decisions and notices that we put into local mailboxes ourselves.
//!
//! Invariants: each notice comes once, whatever is killed and repeated, as its key is used up in the transaction that
//! delivers it; it says that a machine wrote it (RFC 3834) and has a null reverse-path, so nothing answers it; it comes
//! into full mailboxes too, as those are told so by it.

use crate::intake::{Permit, Prepared};
use crate::outgoing::Wishes;
use crate::sender::written;
use crate::{Arrival, Engine, Error, Examined, Origin, Protocol, Recipient, trace, trace_query};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use model::{AccountId, DomainId, DomainName};
use std::net::Ipv4Addr;
use store::{Event, NoticePlace, OwedNotice, Target};

/// Owed notices read at once.
const OWED_PAGE: u32 = 500;
/// Times a notice is tried anew after the sweeper got in between.
const ATTEMPTS: u32 = 5;
/// Columns of a line of text, as people read mail.
const COLUMNS: usize = 76;
/// To whom it writes when it writes to all.
const EVERYBODY: &str = "Người sử dụng hệ thống thư điện tử công vụ";
/// As whom the system writes.
pub(crate) const FROM_NAME: &str = "Hệ thống thư điện tử công vụ";

/// Something the system has to say to somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice<'a> {
    /// What makes it this notice and no other, for ever: `lock-warning/17/2026-11-22/7`.
    pub(crate) key: &'a str,
    pub(crate) to: AccountId,
    pub(crate) subject: &'a str,
    /// Plain text; paragraphs may be longer than a line.
    pub(crate) text: &'a str,
}

/// What a letter answers, and under which id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread<'a> {
    /// Its own, without brackets.
    pub(crate) message_id: &'a str,
    /// Without brackets.
    pub(crate) answers: Option<&'a str>,
    /// A person wrote it, not a machine.
    pub(crate) is_personal: bool,
}

/// What the system writes, before it is known how it is delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) domain: DomainId,
    pub(crate) name: &'a DomainName,
    /// `None`: everybody in the domain.
    pub(crate) to: Option<(&'a str, &'a Recipient)>,
    pub(crate) subject: &'a str,
    pub(crate) text: &'a str,
    pub(crate) thread: Option<Thread<'a>>,
}

impl Engine {
    /// Sends what an act that stands owes; what cannot be sent now the job sends. Never an error: the act stands.
    pub(crate) async fn send_owed(&self, owed: &[OwedNotice]) -> usize {
        let mut sent = Vec::new();
        for OwedNotice { key, to, subject, text } in owed {
            match self.post(&Notice { key, to: *to, subject, text }).await {
                Ok(_) => sent.push(key.as_str()),
                Err(error) => tracing::warn!(%error, "a notice is sent later"),
            }
        }
        if sent.is_empty() {
            return 0;
        }
        if let Err(error) = self.0.store.notices_sent(&sent).await {
            // Looked at again by the job, which finds that they were sent.
            tracing::warn!(%error, "notices that were sent are still held for owed");
        }
        sent.len()
    }

    pub(crate) async fn send_owed_notices(&self) -> Result<String, Error> {
        let (mut after, mut sent) = (String::new(), 0);
        loop {
            let owed = self.0.store.owed_notices(&after, OWED_PAGE).await?;
            let Some(last) = owed.last() else { return Ok(format!("{sent} notices sent")) };
            after.clone_from(&last.key);
            sent += self.send_owed(&owed).await;
        }
    }

    /// Puts it into the mailbox's INBOX. False when it was sent before, or the mailbox is gone.
    ///
    /// # Errors
    /// When the database fails; it has then not been sent, or the next try finds that it has.
    pub(crate) async fn post(&self, notice: &Notice<'_>) -> Result<bool, Error> {
        self.post_answer(notice, None).await
    }

    /// As [`Engine::post`], as the answer to somebody's mail.
    ///
    /// # Errors
    /// As [`Engine::post`].
    pub(crate) async fn post_answer(
        &self,
        notice: &Notice<'_>,
        thread: Option<Thread<'_>>,
    ) -> Result<bool, Error> {
        if self.0.store.was_noticed(notice.key).await? {
            return Ok(false);
        }
        let Some(place) = self.0.store.notice_place(notice.to).await? else { return Ok(false) };
        for _ in 0..ATTEMPTS {
            match self.post_once(notice, &place, thread).await {
                Err(store::Error::ChunkGone | store::Error::Conflict) => {}
                Err(store::Error::MailboxGone) => return Ok(false),
                posted => return Ok(posted?),
            }
        }
        Err(Error::Unavailable)
    }

    async fn post_once(
        &self,
        notice: &Notice<'_>,
        place: &NoticePlace,
        thread: Option<Thread<'_>>,
    ) -> Result<bool, store::Error> {
        let unavailable = |_| store::Error::Damaged("a notice could not be prepared");
        let recipient = Recipient::known(place.address.clone(), notice.to, place.inbox);
        let letter = Letter {
            domain: place.domain,
            name: place.address.domain(),
            to: Some((&place.display_name, &recipient)),
            subject: notice.subject,
            text: notice.text,
            thread,
        };
        let (prepared, queue_id, origin) = self.prepare_letter(&letter).await.map_err(unavailable)?;
        let content = self.write_content(&prepared).await?;
        let target = Target {
            account: notice.to,
            folder: place.inbox,
            recipient: Some(place.address.to_string()),
            room: None,
        };
        let about = trace_query::about(&queue_id, &prepared.facts);
        // One moment for both: by it, the system's mail is told from what people sent.
        let now = self.now();
        let trace = origin.trace_text();
        let event = Event::of_own_mail(now, &trace, prepared.len() as u64, &about);
        let mut tx = self.0.store.begin().await?;
        if !tx.use_notice_key(notice.key, notice.to, now).await? {
            return Ok(false);
        }
        let (id, _) = tx.accept(&content, &[target], &event).await?;
        tx.commit_known(&id).await?;
        self.0.hub.tell(notice.to);
        Ok(true)
    }

    /// Composes it and puts our trace in front; says its queue id and who brings it, too.
    pub(crate) async fn prepare_letter(
        &self,
        letter: &Letter<'_>,
    ) -> Result<(Prepared, String, Origin), Error> {
        let policy = self.policy_of(letter.domain).await?;
        let from = format!("{}@{}", policy.contact.support, letter.name);
        let only: Vec<Recipient> = letter.to.iter().map(|(_, recipient)| (*recipient).clone()).collect();
        self.prepare_own(&self.compose(letter, &from), &only, None).await
    }

    /// What the system itself has written, with our trace in front; says its queue id and who brings it, too. `room`: that of
    /// whoever has some already.
    pub(crate) async fn prepare_own(
        &self,
        message: &[u8],
        recipients: &[Recipient],
        room: Option<Permit>,
    ) -> Result<(Prepared, String, Origin), Error> {
        self.prepare_shown(message, recipients, (room, None)).await
    }

    /// As [`Engine::prepare_own`], with what shows where it comes from, for whoever reads it here.
    pub(crate) async fn prepare_shown(
        &self,
        message: &[u8],
        recipients: &[Recipient],
        (room, examined): (Option<Permit>, Option<Examined>),
    ) -> Result<(Prepared, String, Origin), Error> {
        let queue_id = self.queue_id();
        let origin = Origin {
            trace: self.new_trace(),
            remote: Ipv4Addr::LOCALHOST.into(),
            protocol: Protocol::Console,
        };
        let arrival = Arrival {
            origin,
            helo: self.hostname().to_owned(),
            with: "LMTP",
            tls: None,
            sender: None,
            principal: None,
            wishes: Wishes::default(),
            examined,
        };
        let prefix = trace::headers(&arrival, self.hostname(), &queue_id, recipients, self.now());
        let mut spool = self.new_spool();
        spool.write(message).await.map_err(|_| Error::Unavailable)?;
        let prepared = match room {
            Some(room) => self.prepare_under(room, spool, prefix).await?,
            None => self.prepare(spool, prefix).await?,
        };
        Ok((prepared, queue_id, origin))
    }

    fn compose(&self, letter: &Letter<'_>, from: &str) -> Vec<u8> {
        let to = match letter.to {
            Some((name, recipient)) => (name, written(recipient.address())),
            None => (EVERYBODY, from.to_owned()),
        };
        let own_id = format!("{}@{}", self.queue_id(), self.hostname());
        let message_id = letter.thread.map_or(own_id.as_str(), |thread| thread.message_id);
        let mut message = MessageBuilder::new()
            .from(Mailbox::new_address(Some(FROM_NAME), from))
            .to(Mailbox::new_address(Some(to.0), to.1))
            .subject(Text::new(letter.subject))
            .header("Date", Raw::new(trace::date(self.now())))
            .message_id(message_id.to_owned())
            .header("Content-Language", Raw::new("vi"))
            .text_body(wrapped(letter.text));
        // RFC 3834 5
        match letter.thread {
            None => message = message.header("Auto-Submitted", Raw::new("auto-generated")),
            Some(thread) if !thread.is_personal => {
                message = message.header("Auto-Submitted", Raw::new("auto-replied"));
            }
            Some(_) => {}
        }
        if let Some(answered) = letter.thread.and_then(|thread| thread.answers) {
            message = message.in_reply_to(answered.to_owned()).references(answered.to_owned());
        }
        message.write_to_vec().unwrap_or_default()
    }
}

/// Each line broken between words at [`COLUMNS`], with CR LF.
pub(crate) fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    for line in text.trim_end().lines() {
        let mut column = 0;
        for word in line.split(' ') {
            let width = word.chars().count();
            if column > 0 && column + 1 + width > COLUMNS {
                out.push_str("\r\n");
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += width;
        }
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_broken_between_words() {
        let long = "một hai ba bốn năm sáu bảy tám chín mười ".repeat(3);
        let text = wrapped(&format!("Kính gửi:\n\n{long}\nHết"));
        assert!(text.starts_with("Kính gửi:\r\n\r\nmột hai"));
        assert!(text.lines().all(|line| line.chars().count() <= 76), "{text}");
        assert_eq!(text.split_whitespace().count(), 2 + 30 + 1);
        assert!(text.ends_with("Hết\r\n"));
    }
}
