//! What this system writes by itself, without anybody's message that failed: reports of one machine to another, answers and notices that
//! rules make.

use super::{Mail, To};
use crate::intake::Permit;
use crate::recipients::{Kind, RecipientError, room_for_one};
use crate::{Engine, Error, Examined, Recipient, trace_query};
use jiff::SignedDuration;
use model::admission::Evidence;
use model::queue::{Needs, Priority};
use model::{Address, Sorting};
use store::Target;

/// What one machine writes to another is tried for so long: the next day it has something new to say, and whoever has no server
/// that answers does not fill the queue with it.
const MACHINE_TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How something of ours goes.
#[derive(Debug)]
pub(crate) struct Manner {
    pub(crate) priority: Priority,
    /// Nobody is told.
    pub(crate) give_up_after: SignedDuration,
    pub(crate) requiretls: bool,
    /// As for [`Engine::prepare_own`].
    pub(crate) room: Option<Permit>,
}

impl Engine {
    /// What a machine of ours writes to one of somebody else's, or to a mailbox here: behind all that people wait for, a day long.
    /// Else as [`Engine::own_mail`].
    pub(crate) async fn mail_to_machine(
        &self,
        written: &[u8],
        address: &str,
        shows: &Evidence,
    ) -> Result<Option<Mail>, Error> {
        let (priority, give_up_after) = (Priority::Bulk, MACHINE_TRIED_FOR);
        let manner = Manner { priority, give_up_after, requiretls: false, room: None };
        self.own_mail(written, (address, shows), manner).await
    }

    /// What this system writes by itself: under a null return path; here within the mailbox's room. `None` when the address is of this
    /// system and nobody's mailbox, or the mailbox is full. `shows`: what others find of where it comes from, which is written for who
    /// reads it here.
    pub(crate) async fn own_mail(
        &self,
        written: &[u8],
        (address, shows): (&str, &Evidence),
        manner: Manner,
    ) -> Result<Option<Mail>, Error> {
        let Some((_, domain)) = address.rsplit_once('@') else { return Ok(None) };
        let known = address.parse::<Address>().ok();
        let local = match &known {
            Some(known) => self.is_local_domain(known.domain()).await?,
            None => false,
        };
        let mut limit = None;
        let mut to = match known.filter(|_| local) {
            Some(known) => match self.recipient(&known).await.as_ref().map(Recipient::kind) {
                Ok(Kind::Mailbox { account, inbox, hard_limit }) => {
                    limit = *hard_limit;
                    let recipient = Some(known.to_string());
                    To::Here(Target { account: *account, folder: *inbox, recipient, room: None })
                }
                Err(RecipientError::Unavailable) => return Err(Error::Unavailable),
                _ => return Ok(None),
            },
            None => To::There(domain.to_lowercase(), address.to_owned()),
        };
        let examined =
            matches!(to, To::Here(_)).then(|| Examined { evidence: shows.clone(), sorting: Sorting::Inbox });
        let (prepared, queue_id, origin) = self.prepare_shown(written, &[], (manner.room, examined)).await?;
        if let To::Here(target) = &mut to {
            target.room = limit.map(|limit| room_for_one(limit, prepared.len() as u64));
        }
        let content = self.write_content(&prepared).await?;
        let smtputf8 = !address.is_ascii() || !prepared.header_alone(0).is_ascii();
        let needs = Needs { eight_bit: prepared.is_eight_bit(), smtputf8, requiretls: manner.requiretls };
        let about = trace_query::about(&queue_id, &prepared.facts);
        let (trace, priority) = (origin.trace_text(), manner.priority);
        let give_up_after = manner.give_up_after;
        Ok(Some(Mail { content, queue_id, trace, about, needs, priority, give_up_after, to }))
    }
}
