//! An Giang, Quyết định số 63/2016/QĐ-UBND.

use super::Bound::{AtLeast, AtMost, Exactly, Free};
use super::{Setting, set};

pub(super) const SETTINGS: &[Setting] = &[
    set("naming.person_scheme", "an-giang", Exactly, "Điều 6.2b"),
    set("naming.unit_scheme", "an-giang", Exactly, "Điều 6.2a"),
    set("naming.one_per_person", "true", Exactly, "Điều 6.2"),
    set("naming.one_per_organisation", "true", Exactly, "Điều 6.2"),
    set("quota.person", "300", AtLeast, "Điều 9.3b"),
    set("quota.leader", "1024", AtLeast, "Điều 9.3b"),
    set("quota.organisation", "2048", AtLeast, "Điều 9.3b"),
    set("quota.person_min", "300", AtLeast, "Điều 9.3b"),
    set("quota.leader_min", "1024", AtLeast, "Điều 9.3b"),
    set("quota.organisation_min", "2048", AtLeast, "Điều 9.3b"),
    // "Gần vượt" is asked for without numbers.
    set("quota.warn_at", "80,90,95", Free, "Điều 9.3c"),
    set("quota.block_sending", "true", Exactly, "Điều 9.3c"),
    // "Tối đa 10MB", which Điều 9.3a lets the centre raise and never lower.
    set("attachment.per_message", "10", AtLeast, "Điều 9.3b"),
    set("password.change_at_first_login", "true", Exactly, "Điều 7.3, Điều 8.2c"),
    set("life.lock_after", "3", Exactly, "Điều 8.1a"),
    set("life.activity", "send-or-retrieve", Free, "Điều 8.1a"),
    set("life.notice_exempts", "true", Exactly, "Điều 8.1a"),
    set("life.delete_after_lock", "3", Exactly, "Điều 8.3"),
    set("life.deletion", "confirmed", Free, "Điều 8.3"),
    set("request.restore_days", "1", AtMost, "Điều 8.2b"),
    set("request.document", "true", Exactly, "Điều 7.2, Điều 8.2a"),
    set("request.watchers", "true", Exactly, "Điều 7.3"),
    // The directory changes, the address stays.
    set("request.transfer_renames", "false", Exactly, "Điều 7.3b"),
    set("request.written_confirmation", "true", Exactly, "Điều 11.2a"),
    set("request.review_months", "6", Free, "Điều 10.2b"),
    set("checking.person", "4", AtLeast, "Điều 11.1"),
    set("checking.organisation", "4", AtLeast, "Điều 11.1"),
    set("sending.tag_sign_ups", "true", Free, "Điều 5.2"),
    set("sending.diacritics_hint", "true", Free, "Điều 3.3"),
    set("sending.secret", "block", Free, "Điều 5.3"),
    set("handling.report_to_head", "true", Exactly, "Điều 10.2b"),
    set("handling.states", "new,reported,assigned,answered,closed", Free, "Điều 10.2c"),
    // Not without the owner's consent.
    set("handling.personal_delegation", "off", Free, "Điều 11.2d"),
    set("log.retention", "6", AtLeast, "Điều 9.2"),
    set("announcement.planned_stop_days", "3", AtLeast, "Điều 10.1k"),
    set("contact.centre", "Trung tâm Tin học", Free, "Điều 7.1"),
    set("contact.authority", "Sở Thông tin và Truyền thông", Free, "Điều 10.1"),
    set("contact.support", "hotro", Free, "Điều 7.2"),
];
