//! Word of a message to where its reader wants it (RFC 5435, RFC 5436), ready to be put where it belongs.
//!
//! Invariants: it goes where the mailbox's mail may go on to by itself, and nowhere else (D4), as it tells who wrote, and of what; a null
//! return path and `auto-notified` keep anything from writing back, and no notice is given of one (`proto::sieve` looks); a message makes
//! few.

use super::written::{Body, Letter, Thread};
use crate::forwarding::may_go_on;
use crate::intake::Prepared;
use crate::report::Mail;
use crate::{Arrival, Engine, Error, Sender, trace};
use model::{Address, unlinked};
use proto::mime::decode_header;
use proto::sieve::{Mailto, Notice};
use store::SieveChain;

/// Notices of one message to one mailbox, however many a rule asks for.
pub(super) const NOTICES_MAX: usize = 4;

/// What is sent, and where it may not go.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// To be put by [`store::Tx::mail_back`].
    pub(crate) mails: Vec<Mail>,
    /// Each once.
    pub(crate) refused: Vec<String>,
}

impl Engine {
    /// In the message's room, for which [`super::WRITTEN_BYTES_MAX`] was asked with it. To each address once (RFC 5436 2.7); who has no
    /// mailbox here that takes it gets none.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn notice_mails(
        &self,
        arrival: &Arrival,
        whose: &SieveChain,
        notices: &[Notice],
        message: &Prepared,
    ) -> Result<Notices, Error> {
        let mut told = Notices::default();
        let Some(primary) = whose.addresses.first() else { return Ok(told) };
        let policy = self.policy_of(whose.domain).await?;
        let mut known: Vec<String> = Vec::new();
        for notice in notices {
            let Some(mailto) = Mailto::parse(&notice.method) else { continue };
            let (name, from) = self.as_whom(whose, (notice.from.as_deref(), primary)).await?;
            for to in &mailto.to {
                if known.contains(&to.to_lowercase()) || told.mails.len() == NOTICES_MAX {
                    continue;
                }
                known.push(to.to_lowercase());
                let address = to.parse::<Address>().ok();
                let may = address.is_some_and(|to| may_go_on(&policy, primary.domain(), to.domain()));
                if !may {
                    told.refused.push(to.clone());
                    continue;
                }
                let octets = self.notice(notice, (&mailto, to), (&name, from, primary), (arrival, message));
                told.mails.extend(self.rule_mail(&octets, (to, from.domain()), (arrival, message)).await?);
            }
        }
        Ok(told)
    }

    fn notice(
        &self,
        notice: &Notice,
        (mailto, to): (&Mailto, &str),
        (name, from, owner): (&str, &Address, &Address),
        (arrival, message): (&Arrival, &Prepared),
    ) -> Vec<u8> {
        let envelope = &message.facts.envelope;
        let subject = envelope.subject.as_deref().map(decode_header).unwrap_or_default();
        let said = notice.message.as_deref().or(mailto.subject.as_deref());
        let sender = arrival.sender.as_ref().map_or("(không có)", Sender::as_str);
        let body = mailto.body.clone().unwrap_or_else(|| {
            format!(
                "Hộp thư {owner} vừa nhận một thư.\n\nNgười gửi: {}\nTiêu đề: {}\n",
                unlinked(sender),
                unlinked(&subject)
            )
        });
        let letter = Letter {
            from: (name, from),
            to,
            subject: said.unwrap_or(&subject),
            automatic: &format!("auto-notified; owner-email={}", quoted(&owner.to_string())),
            importance: match notice.importance {
                1 => Some("high"),
                3 => Some("low"),
                _ => None,
            },
            date: trace::date(self.now()),
            message_id: format!("{}@{}", self.queue_id(), self.hostname()),
            thread: Thread { answers: None, ..Thread::of(message.header_alone(0)) },
            body: Body::Text(body.into()),
        };
        letter.octets()
    }
}

/// RFC 5322 3.2.4
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
