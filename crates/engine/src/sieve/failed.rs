//! Telling the owner of a script that it failed: once for each version, behind the message, never in place of it.

use crate::Engine;
use crate::notices::Notice;
use store::{ScriptOwner, SieveScriptAt};

/// A script that failed, or could not have what it wanted.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) at: SieveScriptAt,
    /// In Vietnamese, for whoever wrote it.
    pub(super) why: String,
}

impl Engine {
    /// Never an error: the message is accepted. What is not told now is told when it fails again.
    pub(crate) async fn tell_of_failed(&self, sifted: &super::Sifted) {
        for Failed { at, why } in &sifted.failed {
            let ScriptOwner::Mailbox(owner) = at.owner else {
                tracing::warn!(
                    script = at.script.0,
                    version = at.version,
                    why,
                    "a script of a unit or domain failed"
                );
                continue;
            };
            let key = format!("sieve/{}/{}", at.script.0, at.version);
            let text = format!(
                "Kính gửi Ông (Bà),\n\nBộ lọc thư của Ông (Bà) không thực hiện được với một thư vừa đến: {why}.\n\n\
                 Thư đó không bị mất: thư nằm trong Hộp thư đến. Đề nghị Ông (Bà) kiểm tra và sửa bộ lọc. Hệ thống chỉ thông \
                 báo một lần cho đến khi bộ lọc được thay đổi.\n"
            );
            let notice =
                Notice {
                    key: &key, to: owner, subject: "Bộ lọc thư không thực hiện được", text: &text
                };
            if let Err(error) = self.post(&notice).await {
                tracing::warn!(%error, "an owner is told later that his script failed");
            }
        }
    }
}
