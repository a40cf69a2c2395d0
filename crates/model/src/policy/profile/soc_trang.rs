//! Sóc Trăng, Quyết định số 59/2024/QĐ-UBND.

use super::Bound::{AtLeast, AtMost, Exactly, Free};
use super::{Setting, set};

pub(super) const SETTINGS: &[Setting] = &[
    set("naming.person_scheme", "soc-trang", Exactly, "Điều 3.3, Điều 3.4"),
    set("naming.unit_scheme", "soc-trang", Exactly, "Điều 3.1, Điều 3.2"),
    set("quota.person", "2048", Exactly, "Điều 7"),
    set("quota.leader", "2048", Exactly, "Điều 7"),
    set("quota.organisation", "2048", Exactly, "Điều 7"),
    set("quota.service", "2048", Exactly, "Điều 7"),
    // The text speaks of a file; one file of that size must fit into a message.
    set("attachment.per_message", "50", Free, "Điều 7"),
    set("attachment.per_file", "50", AtMost, "Điều 7"),
    set("password.change_at_first_login", "true", Exactly, "Điều 8.1a"),
    set("password.min_length", "8", AtLeast, "Điều 8.1b"),
    set("password.upper", "true", Exactly, "Điều 8.1b"),
    set("password.lower", "true", Exactly, "Điều 8.1b"),
    set("password.digit", "true", Exactly, "Điều 8.1b"),
    set("password.special", "true", Exactly, "Điều 8.1b"),
    set("password.no_personal", "true", Exactly, "Điều 8.1c"),
    set("password.expire_after", "6", AtMost, "Điều 8.2c"),
    set("request.document", "true", Exactly, "Điều 4.1"),
    set("request.review_months", "6", Free, "Điều 11.2"),
    set("sending.forward_outside", "false", Exactly, "Điều 9.3"),
    set("sending.tag_sign_ups", "true", Free, "Điều 9.2"),
    set("sending.secret", "block", Free, "Điều 6.1"),
    set("handling.report_to_head", "true", Exactly, "Điều 12.3"),
    set("handling.states", "new,reported,assigned,answered,closed", Free, "Điều 12.3"),
    set("handling.personal_delegation", "off", Exactly, "Điều 8.2d"),
    set("report.half_yearly", "true", Exactly, "Điều 10.3"),
    set("report.half_year_due", "07-19", Exactly, "Điều 10.3"),
    set("report.yearly", "true", Exactly, "Điều 10.3"),
    set("report.year_due", "01-19", Exactly, "Điều 10.3"),
    set("contact.centre", "Trung tâm Công nghệ số", Free, "Điều 2.5"),
    set("contact.authority", "Sở Thông tin và Truyền thông", Free, "Điều 2.4"),
    set("contact.support", "ttcns.sotttt", Free, "Điều 11.4"),
    set("contact.spam", "xulythurac", Free, "Điều 9.4"),
    set("contact.telephone", "0299 3 626 800", Free, "Điều 11.4"),
];
