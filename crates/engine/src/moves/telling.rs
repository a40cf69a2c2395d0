//! What owners are told of a move: that they have a new address, or the old one again.
//!
//! Invariant: each is told once of each, whatever is killed.

use super::BATCH;
use crate::notices::Notice;
use crate::provisioning::{NEW_ADDRESS, new_address_text};
use crate::{AdminError, Engine};
use jiff::civil::Date;
use model::AccountId;
use model::calendar::{local_date, plus_days, written_day};
use store::{Direction, MoveStep};

impl Engine {
    pub(super) async fn tell_owners(&self, id: i64, direction: Direction) -> Result<(), AdminError> {
        let until = self.move_row(id).await?.alias_until.map(|until| plus_days(local_date(until), -1));
        loop {
            let untold = self.0.store.untold_steps(id, direction, BATCH).await?;
            if untold.is_empty() {
                return Ok(());
            }
            for step in &untold {
                let new = step.new.as_ref().unwrap_or(&step.old);
                let (text, key) = match direction {
                    Direction::Forth => {
                        let text = new_address_text(&step.display_name, (&step.old.to_string(), new), until);
                        (text, format!("moved/{id}/{}", step.account))
                    }
                    Direction::Back => {
                        (old_address_text(step, until), format!("moved-back/{id}/{}", step.account))
                    }
                };
                let notice = Notice { key: &key, to: step.account, subject: NEW_ADDRESS, text: &text };
                self.post(&notice).await?;
            }
            let told: Vec<AccountId> = untold.iter().map(|step| step.account).collect();
            self.0.store.steps_told(id, direction, &told).await?;
        }
    }
}

fn old_address_text(step: &MoveStep, until: Option<Date>) -> String {
    let MoveStep { old, display_name, .. } = step;
    let new = step.new.as_ref().unwrap_or(old);
    let until = until.map(|day| format!(" đến hết ngày {}", written_day(day))).unwrap_or_default();
    format!(
        "Kính gửi: {display_name}\n\n\
         Việc chuyển hộp thư của Ông/Bà sang địa chỉ {new} đã được hoàn tác. Hộp thư lại có địa chỉ {old}.\n\n\
         Địa chỉ {new} vẫn nhận thư{until}. Thư, thư mục và mật khẩu không thay đổi.\n\n\
         Đề nghị Ông/Bà thông báo cho những nơi đã nhận địa chỉ {new}.\n\n\
         Trân trọng.\n"
    )
}
