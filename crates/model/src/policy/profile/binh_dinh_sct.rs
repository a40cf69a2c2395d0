//! Sở Công Thương Bình Định, Quyết định số 148/QĐ-SCT of 2014: a department with a domain of its own.

use super::Bound::{AtLeast, Exactly, Free};
use super::{Setting, set};

pub(super) const SETTINGS: &[Setting] = &[
    set("naming.person_scheme", "binh-dinh-sct", Exactly, "Điều 4.2"),
    set("naming.unit_scheme", "binh-dinh-sct", Exactly, "Điều 4.1"),
    set("password.change_at_first_login", "true", Exactly, "Điều 12.1"),
    // "Chữ hoa, chữ thường, chữ cái, kí tự đặc biệt": no digit is named, the default asks for one.
    set("password.min_length", "8", AtLeast, "Điều 12.1"),
    set("password.upper", "true", Exactly, "Điều 12.1"),
    set("password.lower", "true", Exactly, "Điều 12.1"),
    set("password.special", "true", Exactly, "Điều 12.1"),
    set("life.unused_unit", "6", Exactly, "Điều 5.2"),
    // Who is away for long without Internet need not look at mail.
    set("life.notice_exempts", "true", Exactly, "Điều 9"),
    set("checking.organisation", "1", AtLeast, "Điều 13.2"),
    // "Thường xuyên", without a number: as often as the organisation.
    set("checking.person", "1", Free, "Điều 9"),
    // Private mail is what is left when the system is down.
    set("sending.warn_public_mail", "false", Free, "Điều 9"),
    set("sending.secret", "block", Free, "Điều 8.2"),
    set("handling.states", "new,reported,assigned,answered,closed", Free, "Điều 13.2"),
    set("handling.personal_delegation", "off", Exactly, "Điều 12.4"),
    set("directory.public", "units", Exactly, "Điều 6"),
    set("contact.centre", "Văn phòng Sở Công Thương", Free, "Điều 3.2"),
    set("contact.authority", "Sở Công Thương", Free, "Điều 3.1"),
];
