//! Lào Cai, Quyết định số 33/2010/QĐ-UBND. It is silent on quota, attachments and terms.

use super::Bound::{AtLeast, Exactly, Free};
use super::{Setting, set};

pub(super) const SETTINGS: &[Setting] = &[
    set("naming.person_scheme", "lao-cai", Exactly, "Điều 4.2"),
    set("naming.unit_scheme", "lao-cai", Exactly, "Điều 4.1"),
    set("naming.one_per_person", "true", Exactly, "Điều 4"),
    set("naming.one_per_organisation", "true", Exactly, "Điều 4"),
    set("password.change_at_first_login", "true", Exactly, "Điều 10.1"),
    set("request.document", "true", Exactly, "Điều 6.2"),
    // The unit is part of the address.
    set("request.transfer_renames", "true", Exactly, "Điều 4.2, Điều 6.2a"),
    set("checking.organisation", "4", AtLeast, "Điều 8.1"),
    set("checking.person", "2", AtLeast, "Điều 8.2"),
    set("sending.secret", "block", Free, "Điều 7.1, Điều 10.6"),
    set("handling.states", "new,reported,assigned,answered,closed", Free, "Điều 11.3"),
    set("handling.personal_delegation", "off", Exactly, "Điều 10.4"),
    set("report.yearly", "true", Exactly, "Điều 9.8, Điều 14"),
    set("report.from_units", "true", Exactly, "Điều 14"),
    set("contact.centre", "Trung tâm CNTT và Viễn thông", Free, "Điều 10.9"),
    set("contact.authority", "Sở Thông tin và Truyền thông", Free, "Điều 3"),
];
