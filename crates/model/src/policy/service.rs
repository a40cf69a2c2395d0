//! The sections of a policy that bind those who run the system: logs, announcements, reports, whom to turn to, roles.
//!
//! The default of each field is the strictest sensible value, for regulations that are silent on it.

use super::field::{Field, section};
use super::value::Value;
use super::{Measure, MonthDay};
use serde::{Deserialize, Serialize};

/// Months the logs are kept at the very least (AG Đ9.2): no policy can go below.
pub const LOG_RETENTION_MONTHS_MIN: u32 = 6;

section! {
    /// Nhật ký.
    Logs log LOG {
        /// Of the system, of every message sent and received, and of errors: AG Đ9.2 6; 6 to 120.
        retention: u32 = 6, Months LOG_RETENTION_MONTHS_MIN..=120, "Lưu nhật ký hệ thống", "E1";
    }
}

section! {
    /// Thông báo.
    Announcements announcement ANNOUNCEMENT {
        /// A planned stop (tạm dừng dịch vụ) is announced so long before: AG Đ10.1k 3; 1 to 30.
        planned_stop_days: u32 = 3, WorkingDays 1..=30, "Thông báo tạm dừng dịch vụ trước", "E4";
        /// An emergency may come later, with its reason.
        emergencies: bool = true, Plain 0..=0, "Cho phép tạm dừng khẩn cấp có lý do", "E4";
        /// An incident (sự cố) is told with the expected time of recovery: TN Đ16.5.
        recovery_time: bool = true, Plain 0..=0, "Thông báo sự cố phải nêu thời gian phục hồi", "E5";
    }
}

section! {
    /// Báo cáo.
    Reports report REPORT {
        /// TN Đ16.4.
        monthly: bool = false, Plain 0..=0, "Báo cáo hằng tháng", "E3";
        /// ST Đ10.3.
        half_yearly: bool = false, Plain 0..=0, "Báo cáo 6 tháng", "E3";
        /// Its last day: ST Đ10.3, before the 20th of July.
        half_year_due: MonthDay = MonthDay { month: 7, day: 19 }, Plain 0..=0, "Hạn báo cáo 6 tháng", "E3";
        /// ST Đ10.3; LC Đ9.8.
        yearly: bool = true, Plain 0..=0, "Báo cáo năm", "E3";
        /// Its last day, of the year after: ST Đ10.3, before the 20th of January.
        year_due: MonthDay = MonthDay { month: 1, day: 19 }, Plain 0..=0, "Hạn báo cáo năm", "E3";
        /// Units report upward: LC Đ14.
        from_units: bool = false, Plain 0..=0, "Đơn vị báo cáo lên cấp trên", "E3";
    }
}

section! {
    /// Whom users turn to; names of offices change with every reform, so they are settings.
    Contacts contact CONTACT {
        /// The centre that runs the system: AG Đ7.1; LC Đ10.9; TN Đ3.2; ST Đ2.5; BD Đ3.2.
        centre: String = String::new(), Characters 0..=200, "Đơn vị vận hành", "E6";
        /// The department above it: AG Đ10; LC Đ3; TN Đ3.2; ST Đ2.4; BD Đ3.1.
        authority: String = String::new(), Characters 0..=200, "Cơ quan quản lý", "E6";
        /// Local part of the support address: AG Đ7.2, TN Đ8.2a hotro; ST Đ11.4 ttcns.sotttt.
        support: String = "hotro".to_owned(), Characters 1..=64, "Địa chỉ hỗ trợ", "E6";
        /// Local part for suspicious mail: ST Đ9.4.
        spam: String = "xulythurac".to_owned(), Characters 1..=64, "Địa chỉ xử lý thư rác", "D6";
        /// Local part of where other systems' reports of mail in the domain's name go (RFC 7489 6.2 `rua`).
        dmarc_reports: String = "dmarc-reports".to_owned(), Characters 1..=64, "Địa chỉ nhận báo cáo DMARC", "D5";
        /// A telephone number: ST Đ11.4.
        telephone: String = String::new(), Characters 0..=40, "Điện thoại hỗ trợ", "E6";
    }
}

section! {
    /// Quản trị.
    Administration administration ADMINISTRATION {
        /// Administrators log in with a second factor.
        second_factor: bool = true, Plain 0..=0, "Quản trị viên phải xác thực hai lớp", "E11";
    }
}
