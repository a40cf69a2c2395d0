//! What an office is told when its mail goes on to somebody no longer, because he has gone: from that moment mail lies where nobody
//! may be looking.

use jiff::Timestamp;
use model::AccountId;
use model::calendar::{local_date, written_day};
use store::{ForwardNamed, OwedNotice};

/// For each mailbox whose forwarding ended, in words for whoever reads that mailbox.
pub(super) fn owed_to_offices(ended: &[(AccountId, ForwardNamed)], now: Timestamp) -> Vec<OwedNotice> {
    let notice = |(account, forward): &(AccountId, ForwardNamed)| OwedNotice {
        key: format!("forward-ended/{account}/{now}"),
        to: *account,
        subject: "Đã thôi chuyển thư tự động".to_owned(),
        text: text(forward, now),
    };
    ended.iter().map(notice).collect()
}

fn text(ForwardNamed { mailbox, target, .. }: &ForwardNamed, now: Timestamp) -> String {
    format!(
        "Kính gửi: {mailbox}\n\n\
         Từ ngày {}, thư gửi đến hộp thư này không còn được chuyển tự động đến {target}, vì người nhận thư chuyển đến đã chuyển công tác \
         hoặc thôi việc. Thư đến từ nay được lưu trong hộp thư này.\n\n\
         Đề nghị đơn vị cử người theo dõi hộp thư, hoặc đề nghị bộ phận hỗ trợ đặt địa chỉ chuyển đến khác.\n\n\
         Trân trọng.\n",
        written_day(local_date(now))
    )
}
