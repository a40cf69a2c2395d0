//! Telling the owner of a script that it failed, of one of a unit or domain the centre: once for each version, behind the message,
//! never in place of it nor before it is answered.

use crate::notices::Notice;
use crate::{Engine, Error};
use model::{AccountId, DomainId, DomainName};
use store::{ScriptOwner, SieveScriptAt};

/// A script that failed, or could not have what it wanted.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(super) at: SieveScriptAt,
    /// Of the mailbox that the message was for.
    pub(super) domain: (DomainId, DomainName),
    /// In Vietnamese, for whoever wrote it.
    pub(super) why: String,
}

impl Engine {
    /// Beside all deliveries: a letter takes room, and whoever holds that of a message and waits for more may wait for ever. What cannot be
    /// told now is told when it fails again.
    pub(crate) async fn tell_of_failed(&self) {
        for failed in self.0.sieves.take_failed() {
            if let Err(error) = self.tell_of(&failed).await {
                tracing::warn!(%error, "somebody is told later that a script failed");
            }
        }
    }

    async fn tell_of(&self, Failed { at, domain, why }: &Failed) -> Result<(), Error> {
        let (whose, told): (&str, Vec<AccountId>) = match at.owner {
            ScriptOwner::Mailbox(owner) => ("Bộ lọc thư của Ông (Bà)", vec![owner]),
            ScriptOwner::Unit(_) => {
                ("Bộ lọc thư chung của một đơn vị", self.centre(domain.0, &domain.1).await?)
            }
            ScriptOwner::Domain(_) => {
                ("Bộ lọc thư chung của tên miền", self.centre(domain.0, &domain.1).await?)
            }
        };
        tracing::warn!(script = at.script.0, version = at.version, why, "a script failed");
        let text = format!(
            "Kính gửi Ông (Bà),\n\n{whose} không thực hiện được với một thư vừa đến: {why}.\n\n\
             Thư đó không bị mất: thư nằm trong Hộp thư đến của người nhận. Đề nghị Ông (Bà) kiểm tra và sửa bộ lọc. Hệ thống \
             chỉ thông báo một lần cho đến khi bộ lọc được thay đổi.\n"
        );
        for to in told {
            let key = format!("sieve/{}/{}/{}", at.script.0, at.version, to.0);
            self.post(&Notice {
                key: &key, to, subject: "Bộ lọc thư không thực hiện được", text: &text
            })
            .await?;
        }
        Ok(())
    }
}
