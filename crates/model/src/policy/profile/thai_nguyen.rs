//! Thái Nguyên, Quyết định số 957/QĐ-UBND of 2013.

use super::Bound::{AtLeast, AtMost, Exactly, Free};
use super::{Setting, set};

pub(super) const SETTINGS: &[Setting] = &[
    set("naming.person_scheme", "thai-nguyen", Exactly, "Điều 3.5"),
    set("naming.unit_scheme", "thai-nguyen", Exactly, "Điều 3.4"),
    // An organisation has its own address and that of its văn thư.
    set("naming.one_per_organisation", "false", Exactly, "Điều 3.6.2"),
    set("naming.clerk_addresses", "true", Exactly, "Điều 3.6.2"),
    set("quota.person", "1024", AtLeast, "Điều 3.7"),
    set("quota.leader", "1024", AtLeast, "Điều 3.7"),
    set("quota.organisation", "1024", AtLeast, "Điều 3.7"),
    set("quota.service", "1024", AtLeast, "Điều 3.7"),
    set("quota.person_min", "1024", AtLeast, "Điều 3.7"),
    set("quota.leader_min", "1024", AtLeast, "Điều 3.7"),
    set("quota.organisation_min", "1024", AtLeast, "Điều 3.7"),
    set("quota.service_min", "1024", AtLeast, "Điều 3.7"),
    set("attachment.per_message", "30", AtMost, "Điều 3.7"),
    set("password.change_at_first_login", "true", Exactly, "Điều 9.1"),
    set("request.document", "true", Exactly, "Điều 8.2"),
    set("checking.organisation", "6", AtLeast, "Điều 7.1"),
    set("checking.person", "6", AtLeast, "Điều 7.2"),
    set("sending.warn_public_mail", "true", Exactly, "Điều 5.6"),
    set("sending.public_mail", "gmail.com,yahoo.com,yahoo.com.vn,hotmail.com,outlook.com", Free, "Điều 5.6"),
    set("sending.secret", "block", Free, "Điều 5.2, Điều 9.5"),
    set("handling.states", "new,reported,assigned,answered,closed", Free, "Điều 10.3"),
    set("directory.public", "units-and-people", Exactly, "Điều 5.5, Điều 17"),
    set("announcement.recovery_time", "true", Exactly, "Điều 16.5"),
    set("report.monthly", "true", Exactly, "Điều 16.4"),
    set("contact.centre", "Trung tâm Công nghệ thông tin và Truyền thông", Free, "Điều 3.2"),
    set("contact.authority", "Sở Thông tin và Truyền thông", Free, "Điều 3.2"),
    set("contact.support", "hotro", Free, "Điều 8.2a"),
];
