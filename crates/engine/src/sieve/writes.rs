//! What rules write to others by themselves: answers (`vacation`) and notices (`notify`), put where they belong with the message.

use super::apply::Work;
use super::notice::NOTICES_MAX;
use super::run::Following;
use super::{AnswerMail, WRITTEN_BYTES_MAX};
use crate::Engine;
use crate::deliver::{Arrival, Refused};
use crate::report::Mail;
use jiff::Timestamp;
use model::{AccountId, Sorting};
use proto::sieve::Action;
use store::{Ruled, Tx};

/// Ready to be put where they belong.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(super) answers: Vec<AnswerMail>,
    pub(super) notices: Vec<Mail>,
}

impl Written {
    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.notices.is_empty()
    }

    fn mails(&self) -> impl Iterator<Item = &Mail> {
        self.answers.iter().map(AnswerMail::mail).chain(&self.notices)
    }

    /// Where in the queue they go.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &str> {
        self.mails().filter_map(Mail::destination)
    }

    /// The mailboxes here that they are put into.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.mails().filter_map(Mail::account)
    }

    /// In the transaction that accepts the message.
    ///
    /// # Errors
    /// As [`Tx::mail_back`].
    pub(crate) async fn put(&self, tx: &mut Tx, engine: &Engine, at: Timestamp) -> Result<(), store::Error> {
        for answer in &self.answers {
            answer.put(tx, engine, at).await?;
        }
        for notice in &self.notices {
            tx.mail_back(&notice.back(engine, at)).await?;
        }
        Ok(())
    }

    /// After the commit.
    pub(crate) fn tell(&self, engine: &Engine) {
        self.mails().for_each(|mail| mail.tell(engine));
    }
}

impl Engine {
    /// What a mailbox's rules write of a message that has come to it. Room for it is taken where there is some.
    pub(super) async fn write_for(
        &self,
        arrival: &Arrival,
        following: &Following,
        work: &mut Work<'_>,
    ) -> Result<(), Refused> {
        let (whose, account) = (&following.chain, following.target.account);
        let (mut notices, mut wanted_by) = (Vec::new(), None);
        for (nth, action) in following.outcome.actions.iter().enumerate() {
            match action {
                Action::Vacation(answer) => {
                    let Some(room) = self.0.intake.try_permit(WRITTEN_BYTES_MAX) else {
                        tracing::warn!(%account, "a message is not answered: there is no room to write it");
                        continue;
                    };
                    let answer =
                        self.answer_mail(arrival, (whose, Sorting::Inbox), answer, work.message).await?;
                    if let Some(answer) = answer {
                        work.meant.sifted.rooms.push(room);
                        work.note(account, Ruled::Answered, "vacation");
                        work.meant.sifted.written.answers.push(answer);
                    }
                }
                Action::Notify(notice) => {
                    wanted_by = following.wanted_by(nth);
                    notices.push(notice.clone());
                }
                _ => {}
            }
        }
        if notices.is_empty() {
            return Ok(());
        }
        let room = WRITTEN_BYTES_MAX * NOTICES_MAX as u64;
        let Some(room) = self.0.intake.try_permit(room) else {
            tracing::warn!(%account, "a notice is not given: there is no room to write it");
            return Ok(());
        };
        work.meant.sifted.rooms.push(room);
        let told = self.notice_mails(arrival, whose, &notices, work.message).await?;
        for refused in told.refused {
            work.fail(
                following,
                wanted_by,
                format!("quy định không cho tự động gửi thông báo đến {refused}"),
            );
        }
        if !told.mails.is_empty() {
            work.note(account, Ruled::Answered, "notify");
        }
        work.meant.sifted.written.notices.extend(told.mails);
        Ok(())
    }
}
