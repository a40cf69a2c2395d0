//! The sections of a policy that say how mailboxes are used: requests, checking, sending, organisation mailboxes, directory.
//!
//! The default of each field is the strictest sensible value, for regulations that are silent on it.

use super::field::{Field, section};
use super::value::Value;
use super::{ExternalSending, HandlingState, Measure, PersonalDelegation, PublicDirectory, SecretMail};
use crate::DomainName;
use serde::{Deserialize, Serialize};

section! {
    /// Đề nghị: terms in working days (ngày làm việc) from their receipt.
    Requests request REQUEST {
        /// Cấp mới; no text gives a term; 1 to 30.
        create_days: u32 = 3, WorkingDays 1..=30, "Thời hạn cấp mới", "B1";
        /// Thay đổi, đổi tên; no text gives a term; 1 to 30.
        change_days: u32 = 3, WorkingDays 1..=30, "Thời hạn thay đổi", "B1";
        /// Thu hồi; who has left should not keep a mailbox; 1 to 30.
        revoke_days: u32 = 1, WorkingDays 1..=30, "Thời hạn thu hồi", "B1";
        /// Chuyển công tác; no text gives a term; 1 to 30.
        transfer_days: u32 = 3, WorkingDays 1..=30, "Thời hạn chuyển công tác", "B1";
        /// Khôi phục: AG Đ8.2b 1; 1 to 30.
        restore_days: u32 = 1, WorkingDays 1..=30, "Thời hạn khôi phục", "B6";
        /// A (signed) document comes with it: AG Đ7.2, Đ8.2a.
        document: bool = true, Plain 0..=0, "Đề nghị kèm văn bản (ký số)", "B1";
        /// The office that follows the mailboxes of a district or commune is told: AG Đ7.3 (Phòng Văn hóa Thông tin).
        watchers: bool = false, Plain 0..=0, "Đồng gửi thông báo cho đơn vị theo dõi cấp huyện", "B1";
        /// The unit is part of the address, so a transfer changes it: LC Đ4.2, Đ6.2a.
        transfer_renames: bool = false, Plain 0..=0, "Chuyển công tác thì đổi địa chỉ", "B9";
        /// After a lost password the organisation confirms in writing: AG Đ11.2a.
        written_confirmation: bool = false, Plain 0..=0, "Xác nhận bằng văn bản sau khi cấp lại mật khẩu", "B11";
        /// Until when, 1 to 30.
        confirmation_days: u32 = 5, WorkingDays 1..=30, "Thời hạn xác nhận bằng văn bản", "B11";
        /// Units go through their list of mailboxes every so many months, 1 to 24 (AG Đ10.2b; ST Đ11.2).
        review_months: u32 = 6, Months 1..=24, "Chu kỳ rà soát danh sách hộp thư", "B13";
    }
}

section! {
    /// Tần suất kiểm tra thư, on working days, spread over their half-sessions (đầu và giữa buổi).
    Checking checking CHECKING {
        /// AG Đ11.1 4; LC Đ8.2 2; TN Đ7.2 6; 1 to 24.
        person: u32 = 4, PerDay 1..=24, "Cá nhân kiểm tra thư ít nhất", "D11";
        /// AG Đ11.1 4; LC Đ8.1 4; TN Đ7.1 6; BD Đ13.2 daily; 1 to 24.
        organisation: u32 = 4, PerDay 1..=24, "Đơn vị kiểm tra thư ít nhất", "D11";
    }
}

section! {
    /// Gửi thư ra ngoài, chuyển thư tự động, nội dung.
    Sending sending SENDING {
        /// Automatic forwarding to any address outside: ST Đ9.3 forbids.
        forward_outside: bool = false, Plain 0..=0, "Cho phép chuyển thư tự động ra ngoài", "D4";
        /// Where it may go all the same, up to 200 domains.
        forward_domains: Vec<DomainName> = Vec::new(), Plain 0..=200, "Tên miền được chuyển thư tự động đến", "D4";
        /// Who writes to the outside at all.
        external: ExternalSending = ExternalSending::Everybody, Plain 0..=0, "Được gửi thư ra ngoài", "D14";
        /// A warning before mail goes to public free mail: TN Đ5.6; BD Đ9 lets it be used in outages.
        warn_public_mail: bool = true, Plain 0..=0, "Nhắc khi gửi đến thư miễn phí công cộng", "D14";
        /// Which those are, up to 200 domains; TN Đ5.6 and BD Đ9 name some.
        public_mail: Vec<DomainName> = public_mail(), Plain 0..=200, "Tên miền thư miễn phí công cộng", "D14";
        /// Mail of sign-ups for social networks and shops is marked: AG Đ5.2; ST Đ9.2.
        tag_sign_ups: bool = true, Plain 0..=0, "Đánh dấu thư đăng ký mạng xã hội, mua bán", "D14";
        /// A hint when a text has no diacritics: AG Đ3.3.
        diacritics_hint: bool = true, Plain 0..=0, "Nhắc khi soạn thư không dấu", "D1";
        /// AG Đ5.3; LC Đ7.1, Đ10.6; TN Đ5.2, Đ9.5; ST Đ6.1; BD Đ8.2.
        secret: SecretMail = SecretMail::Block, Plain 0..=0, "Thư có dấu chỉ độ mật", "D2";
        /// Mail to a group of more members waits for approval, 2 to 100,000.
        group_approval_over: u32 = 200, Count 2..=100_000, "Gửi nhóm phải duyệt khi số thành viên quá", "C2";
        /// Senders may take back unread mail within the system (rút lại).
        recall: bool = true, Plain 0..=0, "Cho phép rút lại thư chưa đọc", "D3";
    }
}

section! {
    /// Bộ lọc thư (Sieve) và thư trả lời tự động.
    Rules rules RULES {
        /// Users put scripts of their own; those of their unit and domain are followed in any case.
        own: bool = true, Plain 0..=0, "Người dùng được đặt bộ lọc thư riêng", "D4";
        /// To how many places one message is passed on by a script at most, 0 to 20; where, says `sending`.
        redirects: u32 = 4, Count 0..=20, "Số nơi một thư được bộ lọc chuyển tiếp đến", "D4";
        /// Days in which one sender is answered once, unless the script says otherwise; 1 to 30.
        answer_days: u32 = 7, Days 1..=30, "Chu kỳ trả lời tự động cho cùng một người gửi", "B4";
        /// Whoever writes from outside is answered, too.
        answer_outside: bool = true, Plain 0..=0, "Trả lời tự động thư từ bên ngoài", "D4";
    }
}

/// The services that TN Đ5.6 and BD Đ9 name.
fn public_mail() -> Vec<DomainName> {
    let named = ["gmail.com", "yahoo.com", "yahoo.com.vn", "hotmail.com", "outlook.com"];
    named.iter().filter_map(|name| DomainName::new(name).ok()).collect()
}

section! {
    /// Hộp thư đơn vị, and the use of another's mailbox.
    Handling handling HANDLING {
        /// The states mail goes through, in their order, from new to closed: AG Đ10.2b-c; LC Đ11.3; TN Đ10.3; ST Đ12.3; BD Đ13.2.
        states: Vec<HandlingState> = HandlingState::ALL.to_vec(), Plain 2..=5, "Các bước xử lý thư đơn vị", "C5";
        /// What came is told to the head: AG Đ10.2b; ST Đ12.3.
        report_to_head: bool = true, Plain 0..=0, "Báo cáo thủ trưởng thư đã nhận", "C5";
        /// Answered within (hồi đáp kịp thời; no text gives a term), 1 to 60.
        answer_days: u32 = 5, WorkingDays 1..=60, "Thời hạn trả lời thư đơn vị", "C5";
        /// AG Đ11.2d; LC Đ10.4; ST Đ8.2d; BD Đ12.4.
        personal_delegation: PersonalDelegation = PersonalDelegation::Off, Plain 0..=0, "Ủy quyền hộp thư cá nhân", "B12";
    }
}

section! {
    /// Danh bạ.
    Directory directory DIRECTORY {
        /// BD Đ6; TN Đ5.5, Đ16.1, Đ17.
        public: PublicDirectory = PublicDirectory::Units, Plain 0..=0, "Danh bạ công khai", "C3";
    }
}
