//! The sections of a policy that say who gets which mailbox: addresses, quota, attachments, passwords, life cycle.
//!
//! The default of each field is the strictest sensible value, for regulations that are silent on it.

use super::field::{Field, section};
use super::value::Value;
use super::{Activity, Deletion, Measure, SchemeId};
use serde::{Deserialize, Serialize};

section! {
    /// How addresses are made and how long they stay.
    Naming naming NAMING {
        /// Addresses of people (hộp thư cá nhân): AG Đ6.2b; LC Đ4.2; TN Đ3.5; ST Đ3.3; BD Đ4.2.
        person_scheme: SchemeId = SchemeId::AnGiang, Plain 0..=0, "Quy tắc địa chỉ cá nhân", "A3–A7";
        /// Addresses of organisations (hộp thư đơn vị): AG Đ6.2a; LC Đ4.1; TN Đ3.4; ST Đ3.1-2; BD Đ4.1.
        unit_scheme: SchemeId = SchemeId::AnGiang, Plain 0..=0, "Quy tắc địa chỉ đơn vị", "A8–A12";
        /// A person has one address: AG Đ6.2; LC Đ4.
        one_per_person: bool = true, Plain 0..=0, "Mỗi cá nhân chỉ một địa chỉ", "A1";
        /// An organisation has one address: AG Đ6.2; LC Đ4.
        one_per_organisation: bool = true, Plain 0..=0, "Mỗi tổ chức chỉ một địa chỉ", "A1";
        /// `vanthu.<unit>` beside the organisation's own address: TN Đ3.6.2.
        clerk_addresses: bool = false, Plain 0..=0, "Địa chỉ văn thư của từng đơn vị", "C2";
        /// An address that was replaced still receives, months, 1 to 120.
        alias_months: u32 = 12, Months 1..=120, "Địa chỉ cũ còn nhận thư", "A1";
        /// A retired address is not given to somebody else, months, 12 to 600; off: never.
        retired_months: Option<u32> = None, Months 12..=600, "Không cấp lại địa chỉ đã thu hồi trong", "A13";
    }
}

section! {
    /// Dung lượng, by the mailbox's class; 1 MB = 2^20 bytes of the messages' sizes.
    Quota quota QUOTA {
        /// AG Đ9.3b at least 300; TN Đ3.7 at least 1024; ST Đ7 2048.
        person: u32 = 300, Megabytes 50..=1_048_576, "Dung lượng hộp thư cá nhân", "A14";
        /// Cán bộ lãnh đạo: AG Đ9.3b at least 1024; TN Đ3.7; ST Đ7.
        leader: u32 = 1024, Megabytes 50..=1_048_576, "Dung lượng hộp thư lãnh đạo", "A14";
        /// AG Đ9.3b at least 2048; TN Đ3.7; ST Đ7.
        organisation: u32 = 2048, Megabytes 50..=1_048_576, "Dung lượng hộp thư đơn vị", "A14";
        /// hotro@ and the like; no text names them.
        service: u32 = 2048, Megabytes 50..=1_048_576, "Dung lượng hộp thư dịch vụ", "A14";
        /// The least one mailbox may be given for itself: AG Đ9.3b 300; TN Đ3.7 1024; ST Đ7 2048; off: anything.
        person_min: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng thấp nhất, hộp thư cá nhân", "A14";
        /// The most: ST Đ7 2048; off: anything.
        person_max: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng cao nhất, hộp thư cá nhân", "A14";
        /// The least one mailbox may be given for itself: AG Đ9.3b 1024; TN Đ3.7 1024; ST Đ7 2048; off: anything.
        leader_min: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng thấp nhất, hộp thư lãnh đạo", "A14";
        /// The most: ST Đ7 2048; off: anything.
        leader_max: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng cao nhất, hộp thư lãnh đạo", "A14";
        /// The least one mailbox may be given for itself: AG Đ9.3b 2048; TN Đ3.7 1024; ST Đ7 2048; off: anything.
        organisation_min: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng thấp nhất, hộp thư đơn vị", "A14";
        /// The most: ST Đ7 2048; off: anything.
        organisation_max: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng cao nhất, hộp thư đơn vị", "A14";
        /// The least one mailbox may be given for itself: TN Đ3.7 1024; ST Đ7 2048; off: anything.
        service_min: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng thấp nhất, hộp thư dịch vụ", "A14";
        /// The most: ST Đ7 2048; off: anything.
        service_max: Option<u32> = None, Megabytes 1..=1_048_576, "Dung lượng cấp riêng cao nhất, hộp thư dịch vụ", "A14";
        /// A warning lands in the mailbox once per threshold, percent, rising (gần vượt dung lượng, AG Đ9.3c).
        warn_at: Vec<u32> = vec![80, 90, 95], Percent 1..=99, "Cảnh báo dung lượng tại", "A16";
        /// Over quota nothing can be sent: AG Đ9.3c.
        block_sending: bool = true, Plain 0..=0, "Chặn gửi thư khi vượt dung lượng", "A16";
        /// Mail is taken up to this, percent of the quota, 100 to 200.
        hard_limit: u32 = 110, Percent 100..=200, "Ngừng nhận thư tại", "A16";
    }
}

section! {
    /// Tệp đính kèm, in decoded bytes, and the size of messages.
    Attachments attachment ATTACHMENT {
        /// All of one message together: AG Đ9.3b 10; TN Đ3.7 30.
        per_message: u32 = 10, Megabytes 10..=50, "Tổng tệp đính kèm mỗi thư", "A15";
        /// Each file: ST Đ7 50; off: what a message may have.
        per_file: Option<u32> = None, Megabytes 10..=50, "Mỗi tệp đính kèm", "A15";
        /// A message from outside as it travels, encoded, 15 to 200.
        inbound_message: u32 = 70, Megabytes 15..=200, "Kích thước thư nhận từ bên ngoài", "A15";
    }
}

section! {
    /// Mật khẩu.
    Passwords password PASSWORD {
        /// ST Đ8.1b, BD Đ12.1: at least 8; 8 to 64.
        min_length: u32 = 8, Characters 8..=64, "Độ dài mật khẩu tối thiểu", "B3";
        /// Ký tự in hoa: ST Đ8.1b, BD Đ12.1.
        upper: bool = true, Plain 0..=0, "Mật khẩu phải có chữ hoa", "B3";
        /// Ký tự thường: ST Đ8.1b, BD Đ12.1.
        lower: bool = true, Plain 0..=0, "Mật khẩu phải có chữ thường", "B3";
        /// Ký tự số: ST Đ8.1b.
        digit: bool = true, Plain 0..=0, "Mật khẩu phải có chữ số", "B3";
        /// Ký tự đặc biệt: ST Đ8.1b, BD Đ12.1.
        special: bool = true, Plain 0..=0, "Mật khẩu phải có ký tự đặc biệt", "B3";
        /// No name, address, unit or year of birth: ST Đ8.1c.
        no_personal: bool = true, Plain 0..=0, "Cấm thông tin cá nhân trong mật khẩu", "B3";
        /// None that is known from leaks or lists.
        no_common: bool = true, Plain 0..=0, "Cấm mật khẩu phổ biến hoặc đã lộ", "B3";
        /// Not one of the last so many, 0 to 24.
        history: u32 = 5, Count 0..=24, "Số mật khẩu cũ không được dùng lại", "B3";
        /// ST Đ8.2c: 6; 1 to 24; off: never.
        expire_after: Option<u32> = None, Months 1..=24, "Mật khẩu hết hạn sau", "B3";
        /// Notices before that, days, falling.
        expiry_notices: Vec<u32> = vec![14, 7, 1], Days 1..=90, "Nhắc đổi mật khẩu trước", "B3";
        /// AG Đ7.3, Đ8.2c; LC Đ10.1; TN Đ9.1; ST Đ8.1a; BD Đ12.1.
        change_at_first_login: bool = true, Plain 0..=0, "Đổi mật khẩu khi đăng nhập lần đầu", "B2";
        /// A one-time password is good for so many days, 1 to 30.
        one_time_days: u32 = 7, Days 1..=30, "Hiệu lực mật khẩu cấp một lần", "B2";
    }
}

section! {
    /// Tạm khóa, khôi phục, xóa.
    LifeCycle life LIFE {
        /// Locked after so long without activity: AG Đ8.1a 3; 1 to 36; off: never.
        lock_after: Option<u32> = Some(3), Months 1..=36, "Tạm khóa khi không sử dụng trong", "B4";
        /// Giao dịch gửi, nhận: AG Đ8.1a.
        activity: Activity = Activity::SendOrRetrieve, Plain 0..=0, "Được coi là sử dụng khi", "B4";
        /// A notice of reason (thông báo lý do) keeps it open: AG Đ8.1a; BD Đ9.
        notice_exempts: bool = true, Plain 0..=0, "Thông báo lý do được miễn tạm khóa", "B4";
        /// Warnings before it is locked, days, falling.
        lock_warnings: Vec<u32> = vec![14, 7, 1], Days 1..=28, "Cảnh báo trước khi tạm khóa", "B4";
        /// A locked mailbox goes on receiving.
        locked_receives: bool = true, Plain 0..=0, "Hộp thư tạm khóa vẫn nhận thư", "B5";
        /// Deleted so long after the lock if nobody asks for it: AG Đ8.3 3; 1 to 60.
        delete_after_lock: u32 = 3, Months 1..=60, "Xóa sau khi tạm khóa", "B7";
        /// By whom: AG Đ8.3.
        deletion: Deletion = Deletion::Confirmed, Plain 0..=0, "Việc xóa", "B7";
        /// An archive is written before: nothing is deleted whose mail was not exported since it went out of use.
        export_first: bool = true, Plain 0..=0, "Kết xuất lưu trữ trước khi xóa", "B7";
        /// Unit mailboxes that were never used are to be deleted: BD Đ5.2 6; 1 to 36; off: they stay.
        unused_unit: Option<u32> = None, Months 1..=36, "Xóa hộp thư đơn vị không đưa vào sử dụng sau", "B8";
        /// What was deleted is in backups for so long, 1 to 3650; stated where something is deleted, and not longer.
        backup_days: u32 = 30, Days 1..=3650, "Bản sao lưu còn giữ", "B7";
        /// A transfer, merger or split can be undone for so long, 1 to 90.
        undo_days: u32 = 30, Days 1..=90, "Thời hạn hoàn tác sáp nhập, chia tách, chuyển", "B9";
    }
}
