//! Each profile against the numbers of its regulation; ranges, rules between fields, diffs, versions.

use super::*;
use crate::DomainName;
use jiff::Timestamp;
use std::collections::BTreeSet;

fn policy(profile: Profile) -> Policy {
    profile.policy().unwrap()
}

/// Field, value and article of every number or rule that a regulation fixes, typed from the texts once more.
#[track_caller]
fn check(profile: Profile, table: &[(&str, &str, &str)]) {
    let policy = policy(profile);
    for (key, value, article) in table {
        let field = Policy::field(key).unwrap();
        assert_eq!(field.text(&policy), *value, "{key}");
        let wanted = format!("{} {article}", profile.regulation());
        assert_eq!(profile.article(key), wanted, "{key}");
    }
}

#[test]
fn an_giang() {
    let table = [
        ("naming.person_scheme", "an-giang", "Điều 6.2b"),
        ("naming.unit_scheme", "an-giang", "Điều 6.2a"),
        ("naming.one_per_person", "true", "Điều 6.2"),
        ("naming.one_per_organisation", "true", "Điều 6.2"),
        ("quota.person", "300", "Điều 9.3b"),
        ("quota.leader", "1024", "Điều 9.3b"),
        ("quota.organisation", "2048", "Điều 9.3b"),
        ("quota.block_sending", "true", "Điều 9.3c"),
        ("attachment.per_message", "10", "Điều 9.3b"),
        ("password.change_at_first_login", "true", "Điều 7.3, Điều 8.2c"),
        ("life.lock_after", "3", "Điều 8.1a"),
        ("life.notice_exempts", "true", "Điều 8.1a"),
        ("life.delete_after_lock", "3", "Điều 8.3"),
        ("request.restore_days", "1", "Điều 8.2b"),
        ("request.watchers", "true", "Điều 7.3"),
        ("request.transfer_renames", "false", "Điều 7.3b"),
        ("request.written_confirmation", "true", "Điều 11.2a"),
        ("checking.person", "4", "Điều 11.1"),
        ("checking.organisation", "4", "Điều 11.1"),
        ("handling.report_to_head", "true", "Điều 10.2b"),
        ("log.retention", "6", "Điều 9.2"),
        ("announcement.planned_stop_days", "3", "Điều 10.1k"),
        ("contact.support", "hotro", "Điều 7.2"),
    ];
    check(Profile::AnGiang, &table);
    let policy = policy(Profile::AnGiang);
    assert_eq!(policy.quota_bytes(MailboxClass::Person), 300 << 20);
    assert_eq!(policy.quota_bytes(MailboxClass::Leader), 1 << 30);
    assert_eq!(policy.quota_bytes(MailboxClass::Organisation), 2 << 30);
    assert_eq!(policy.attachments_bytes_max(), 10 << 20);
    assert_eq!(policy.file_bytes_max(), 10 << 20);
    assert_eq!(policy.password.expire_after, None);
}

#[test]
fn lao_cai() {
    let table = [
        ("naming.person_scheme", "lao-cai", "Điều 4.2"),
        ("naming.unit_scheme", "lao-cai", "Điều 4.1"),
        ("naming.one_per_person", "true", "Điều 4"),
        ("naming.one_per_organisation", "true", "Điều 4"),
        ("password.change_at_first_login", "true", "Điều 10.1"),
        ("request.transfer_renames", "true", "Điều 4.2, Điều 6.2a"),
        ("checking.organisation", "4", "Điều 8.1"),
        ("checking.person", "2", "Điều 8.2"),
        ("handling.personal_delegation", "off", "Điều 10.4"),
        ("report.from_units", "true", "Điều 14"),
    ];
    check(Profile::LaoCai, &table);
    // Silent: the design card's quotas, the smallest attachments.
    let policy = policy(Profile::LaoCai);
    let quota = &policy.quota;
    assert_eq!((quota.person, quota.leader, quota.organisation), (300, 1024, 2048));
    assert_eq!((policy.attachment.per_message, policy.life.lock_after), (10, Some(3)));
    assert_eq!(Profile::LaoCai.article("quota.person"), "Quy chế không quy định");
}

#[test]
fn thai_nguyen() {
    let table = [
        ("naming.person_scheme", "thai-nguyen", "Điều 3.5"),
        ("naming.unit_scheme", "thai-nguyen", "Điều 3.4"),
        ("naming.clerk_addresses", "true", "Điều 3.6.2"),
        ("quota.person", "1024", "Điều 3.7"),
        ("quota.leader", "1024", "Điều 3.7"),
        ("quota.organisation", "1024", "Điều 3.7"),
        ("attachment.per_message", "30", "Điều 3.7"),
        ("password.change_at_first_login", "true", "Điều 9.1"),
        ("checking.organisation", "6", "Điều 7.1"),
        ("checking.person", "6", "Điều 7.2"),
        ("sending.warn_public_mail", "true", "Điều 5.6"),
        ("directory.public", "units-and-people", "Điều 5.5, Điều 17"),
        ("announcement.recovery_time", "true", "Điều 16.5"),
        ("report.monthly", "true", "Điều 16.4"),
        ("contact.support", "hotro", "Điều 8.2a"),
    ];
    check(Profile::ThaiNguyen, &table);
    assert_eq!(policy(Profile::ThaiNguyen).attachments_bytes_max(), 30 << 20);
}

#[test]
fn soc_trang() {
    let table = [
        ("naming.person_scheme", "soc-trang", "Điều 3.3, Điều 3.4"),
        ("naming.unit_scheme", "soc-trang", "Điều 3.1, Điều 3.2"),
        ("quota.person", "2048", "Điều 7"),
        ("quota.leader", "2048", "Điều 7"),
        ("quota.organisation", "2048", "Điều 7"),
        ("quota.service", "2048", "Điều 7"),
        ("attachment.per_file", "50", "Điều 7"),
        ("password.change_at_first_login", "true", "Điều 8.1a"),
        ("password.min_length", "8", "Điều 8.1b"),
        ("password.upper", "true", "Điều 8.1b"),
        ("password.lower", "true", "Điều 8.1b"),
        ("password.digit", "true", "Điều 8.1b"),
        ("password.special", "true", "Điều 8.1b"),
        ("password.no_personal", "true", "Điều 8.1c"),
        ("password.expire_after", "6", "Điều 8.2c"),
        ("sending.forward_outside", "false", "Điều 9.3"),
        ("sending.tag_sign_ups", "true", "Điều 9.2"),
        ("handling.report_to_head", "true", "Điều 12.3"),
        ("report.half_year_due", "07-19", "Điều 10.3"),
        ("report.year_due", "01-19", "Điều 10.3"),
        ("contact.support", "ttcns.sotttt", "Điều 11.4"),
        ("contact.spam", "xulythurac", "Điều 9.4"),
        ("contact.telephone", "0299 3 626 800", "Điều 11.4"),
    ];
    check(Profile::SocTrang, &table);
    let policy = policy(Profile::SocTrang);
    assert_eq!(policy.file_bytes_max(), 50 << 20);
    // A 50 MB file in base64 has 68.5 MB, and must get in and out.
    assert!(policy.submission_bytes_max() > 685 * (1 << 20) / 10 - (1 << 20) / 10);
    assert!(policy.submission_bytes_max() <= policy.inbound_bytes_max());
}

#[test]
fn binh_dinh() {
    let table = [
        ("naming.person_scheme", "binh-dinh-sct", "Điều 4.2"),
        ("naming.unit_scheme", "binh-dinh-sct", "Điều 4.1"),
        ("password.change_at_first_login", "true", "Điều 12.1"),
        ("password.min_length", "8", "Điều 12.1"),
        ("password.special", "true", "Điều 12.1"),
        ("life.unused_unit", "6", "Điều 5.2"),
        ("life.notice_exempts", "true", "Điều 9"),
        ("checking.organisation", "1", "Điều 13.2"),
        ("sending.warn_public_mail", "false", "Điều 9"),
        ("handling.personal_delegation", "off", "Điều 12.4"),
        ("directory.public", "units", "Điều 6"),
    ];
    check(Profile::BinhDinhSct, &table);
    assert!(policy(Profile::BinhDinhSct).password.digit, "one rule for all, though no digit is named");
}

#[test]
fn every_line_of_every_profile_counts() {
    for profile in Profile::ALL {
        assert_eq!(profile.as_str().parse(), Ok(profile));
        let policy = policy(profile);
        assert_eq!(policy.profile, profile);
        assert_eq!(policy.validate(), Ok(()), "{profile:?}");
        assert_eq!(policy.departures(), [], "{profile:?}");
        let keys: BTreeSet<&str> = profile.settings().iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), profile.settings().len(), "{profile:?} says something twice");
        for setting in profile.settings() {
            assert_eq!(Policy::field(setting.key).unwrap().text(&policy), setting.value);
            assert!(setting.article.starts_with("Điều "), "{}", setting.key);
        }
    }
    assert!("ha-noi".parse::<Profile>().is_err());
}

#[test]
fn fields_are_defined_once_and_their_defaults_hold() {
    let policy = Policy::default();
    assert_eq!(policy.validate(), Ok(()));
    let keys: BTreeSet<&str> = Policy::fields().map(|field| field.key).collect();
    let labels: BTreeSet<&str> = Policy::fields().map(|field| field.label).collect();
    let count = Policy::fields().count();
    assert_eq!((keys.len(), labels.len()), (count, count));
    assert!(count >= 80, "{count} fields");
    for field in Policy::fields() {
        assert!(!field.shown(&policy).is_empty(), "{}", field.key);
        // Its text sets it to what it is.
        let mut same = policy.clone();
        assert_eq!(same.set(field.key, &field.text(&policy)), Ok(()), "{}", field.key);
        assert_eq!(same, policy, "{}", field.key);
        assert!(field.requirement.starts_with(['A', 'B', 'C', 'D', 'E']), "{}", field.key);
    }
}

#[test]
fn ranges_hold_at_both_ends() {
    for field in Policy::fields().filter(|field| field.measure != Measure::Plain) {
        if (field.number)(&policy(Profile::SocTrang)).is_none() {
            continue;
        }
        let mut policy = Policy::default();
        for (value, ok) in [
            (field.min.checked_sub(1), false),
            (Some(field.min), true),
            (Some(field.max), true),
            (field.max.checked_add(1), false),
        ] {
            let Some(value) = value else { continue };
            let before = policy.clone();
            let found = policy.set(field.key, &value.to_string());
            assert_eq!(found, if ok { Ok(()) } else { Err(SetError::Range) }, "{} {value}", field.key);
            assert!(ok || policy == before);
        }
    }
}

#[test]
fn logs_cannot_be_kept_for_less_than_six_months() {
    let mut policy = Policy::default();
    assert_eq!(policy.set("log.retention", "5"), Err(SetError::Range));
    for (key, form) in [
        ("life.lock_after", "between 1 and 36 months, or off"),
        ("password.expiry_notices", "numbers between 1 and 90 days, with commas between"),
        ("quota.block_sending", "true or false"),
        ("life.deletion", "one of confirmed, automatic"),
        ("report.year_due", "month and day, such as 07-19"),
    ] {
        assert_eq!(Policy::field(key).unwrap().form(), form, "{key}");
    }
    assert_eq!(policy.set("log.retention", "12"), Ok(()));
    assert_eq!(policy.log_retention_months(), 12);
    // Whoever writes past the setter is found out, and not obeyed.
    policy.log.retention = 1;
    let rule = Rule::Range { min: 6, max: 120 };
    assert_eq!(policy.validate(), Err(vec![Violation { field: "log.retention", rule }]));
    assert_eq!(policy.log_retention_months(), LOG_RETENTION_MONTHS_MIN);
}

#[test]
fn texts_that_are_no_values_change_nothing() {
    let mut policy = Policy::default();
    for (key, text, wanted) in [
        ("quota.colour", "1", SetError::Unknown),
        ("quota.person", "many", SetError::Form),
        ("quota.person", "-1", SetError::Form),
        ("quota.person", "off", SetError::Form),
        ("quota.warn_at", "80,x", SetError::Form),
        ("quota.warn_at", "", SetError::Range),
        ("quota.warn_at", "0,80", SetError::Range),
        ("quota.block_sending", "yes", SetError::Form),
        ("life.activity", "sometimes", SetError::Form),
        ("handling.states", "new,gone,closed", SetError::Form),
        ("sending.forward_domains", "a_b", SetError::Form),
        ("report.year_due", "02-30", SetError::Form),
        ("report.year_due", "13-01", SetError::Form),
        ("contact.centre", "a\nb", SetError::Form),
        ("contact.support", "", SetError::Range),
    ] {
        assert_eq!(policy.set(key, text), Err(wanted), "{key}={text}");
    }
    assert_eq!(policy, Policy::default());
}

#[test]
fn rules_between_fields() {
    type Settings = &'static [(&'static str, &'static str)];
    let table: [(Settings, &str, Rule); 14] = [
        (&[("attachment.per_file", "20")], "attachment.per_file", Rule::FileLargerThanMessage),
        (
            &[("attachment.per_message", "50"), ("attachment.inbound_message", "60")],
            "attachment.inbound_message",
            Rule::InboundSmallerThanSubmission,
        ),
        (&[("quota.person", "2000")], "quota.leader", Rule::LeaderBelowPerson),
        (
            &[("quota.service_min", "500"), ("quota.service_max", "499")],
            "quota.service_min",
            Rule::RangeReversed,
        ),
        (&[("quota.warn_at", "90,80")], "quota.warn_at", Rule::NotRising),
        (&[("quota.warn_at", "80,80")], "quota.warn_at", Rule::NotRising),
        (&[("password.expiry_notices", "1,7")], "password.expiry_notices", Rule::NotFalling),
        (
            &[("password.expire_after", "1"), ("password.expiry_notices", "28,1")],
            "password.expiry_notices",
            Rule::WarningBeforeTerm,
        ),
        (
            &[("password.upper", "false"), ("password.digit", "false"), ("password.special", "false")],
            "password.min_length",
            Rule::PasswordKinds,
        ),
        (&[("life.lock_warnings", "7,14")], "life.lock_warnings", Rule::NotFalling),
        (
            &[("life.lock_after", "1"), ("life.lock_warnings", "28")],
            "life.lock_warnings",
            Rule::WarningBeforeTerm,
        ),
        (&[("handling.states", "new,answered,assigned,closed")], "handling.states", Rule::HandlingOrder),
        (&[("handling.states", "assigned,closed")], "handling.states", Rule::HandlingOrder),
        (&[("contact.support", "hỗ trợ")], "contact.support", Rule::LocalPart),
    ];
    for (settings, field, rule) in table {
        let mut policy = Policy::default();
        for (key, text) in settings {
            policy.set(key, text).unwrap();
        }
        assert_eq!(policy.validate(), Err(vec![Violation { field, rule }]), "{settings:?}");
        assert!(!rule.label().is_empty());
    }
    let mut policy = Policy::default();
    policy.set("life.lock_after", "off").unwrap();
    assert_eq!(policy.validate(), Ok(()));
}

#[test]
fn a_diff_tells_each_field_with_its_article() {
    let old = policy(Profile::AnGiang);
    assert_eq!(Policy::diff(&old, &old), []);
    let mut new = old.clone();
    new.set("quota.person", "500").unwrap();
    new.set("life.lock_after", "off").unwrap();
    new.set("password.expire_after", "6").unwrap();
    new.sending.forward_domains = vec![DomainName::new("chinhphu.vn").unwrap()];
    let change = |field, label, old: &str, new: &str, article: &str| Change {
        field,
        label,
        old: old.to_owned(),
        new: new.to_owned(),
        article: article.to_owned(),
    };
    let number = "Quyết định số 63/2016/QĐ-UBND";
    let wanted = [
        change(
            "quota.person",
            "Dung lượng hộp thư cá nhân",
            "300 MB",
            "500 MB",
            &format!("{number} Điều 9.3b"),
        ),
        change(
            "password.expire_after",
            "Mật khẩu hết hạn sau",
            "không áp dụng",
            "6 tháng",
            "Quy chế không quy định",
        ),
        change(
            "life.lock_after",
            "Tạm khóa khi không sử dụng trong",
            "3 tháng",
            "không áp dụng",
            &format!("{number} Điều 8.1a"),
        ),
        change(
            "sending.forward_domains",
            "Tên miền được chuyển thư tự động đến",
            "không có",
            "chinhphu.vn",
            "Quy chế không quy định",
        ),
    ];
    assert_eq!(Policy::diff(&old, &new), wanted);
    let back = Policy::diff(&new, &old);
    assert!(back.iter().zip(&wanted).all(|(b, w)| b.old == w.new && b.new == w.old));
}

#[test]
fn a_diff_misses_no_field() {
    let old = Policy::default();
    for profile in Profile::ALL {
        let new = policy(profile);
        let mut patched = old.clone();
        patched.profile = new.profile;
        for change in Policy::diff(&old, &new).iter().filter(|change| change.field != "profile") {
            let field = Policy::field(change.field).unwrap();
            patched.set(change.field, &field.text(&new)).unwrap();
        }
        assert_eq!(patched, new, "{profile:?}");
    }
    let change = &Policy::diff(&policy(Profile::AnGiang), &policy(Profile::SocTrang))[0];
    assert_eq!((change.field, change.label), ("profile", "Quy chế áp dụng"));
}

#[test]
fn an_inspector_sees_departures() {
    let cases = [
        (Profile::AnGiang, "quota.person", "299", Some(Bound::AtLeast)),
        (Profile::AnGiang, "quota.person", "5000", None),
        (Profile::AnGiang, "quota.leader_min", "off", Some(Bound::AtLeast)),
        (Profile::AnGiang, "quota.leader_max", "5000", None),
        (Profile::SocTrang, "quota.person_max", "off", Some(Bound::Exactly)),
        (Profile::AnGiang, "attachment.per_message", "25", None),
        (Profile::AnGiang, "life.lock_after", "off", Some(Bound::Exactly)),
        (Profile::AnGiang, "request.restore_days", "2", Some(Bound::AtMost)),
        (Profile::AnGiang, "announcement.planned_stop_days", "2", Some(Bound::AtLeast)),
        (Profile::AnGiang, "announcement.planned_stop_days", "5", None),
        (Profile::AnGiang, "log.retention", "12", None),
        (Profile::ThaiNguyen, "attachment.per_message", "31", Some(Bound::AtMost)),
        (Profile::ThaiNguyen, "checking.person", "5", Some(Bound::AtLeast)),
        (Profile::SocTrang, "quota.person", "2049", Some(Bound::Exactly)),
        (Profile::SocTrang, "password.expire_after", "off", Some(Bound::AtMost)),
        (Profile::SocTrang, "password.expire_after", "3", None),
        (Profile::SocTrang, "sending.forward_outside", "true", Some(Bound::Exactly)),
        (Profile::LaoCai, "quota.person", "100", None),
        (Profile::BinhDinhSct, "password.digit", "false", None),
    ];
    for (profile, key, value, wanted) in cases {
        let mut policy = policy(profile);
        policy.set(key, value).unwrap();
        let found = policy.departures();
        let bounds: Vec<(&str, Bound)> = found.iter().map(|d| (d.field, d.bound)).collect();
        assert_eq!(bounds, wanted.map(|bound| (key, bound)).into_iter().collect::<Vec<_>>(), "{key}={value}");
        if let Some(departure) = found.first() {
            assert_ne!(departure.wanted, departure.found);
            assert!(departure.article.contains("Điều "));
        }
    }
}

#[test]
fn versions_follow_each_other() {
    let start: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    let later: Timestamp = "2025-02-01T00:00:00Z".parse().unwrap();
    let first = PolicyVersion::first(policy(Profile::AnGiang), "an", start).unwrap();
    let mut raised = first.policy.clone();
    raised.set("quota.person", "500").unwrap();
    let (second, changes) = first.succeed(raised.clone(), 1, "binh", " Điều 9.3a ", later).unwrap();
    assert_eq!((second.number, second.by.as_str(), second.reason.as_str()), (2, "binh", "Điều 9.3a"));
    assert_eq!(changes.len(), 1);

    let mut invalid = raised.clone();
    invalid.log.retention = 1;
    for (policy, based_on, reason, at, wanted) in [
        (raised.clone(), 1, "x", later, VersionError::Stale(2)),
        (raised.clone(), 2, "x", later, VersionError::Unchanged),
        (first.policy.clone(), 2, " ", later, VersionError::Reason),
        (first.policy.clone(), 2, "x", start, VersionError::Time),
    ] {
        assert_eq!(second.succeed(policy, based_on, "binh", reason, at), Err(wanted));
    }
    let found = second.succeed(invalid.clone(), 2, "binh", "x", later);
    assert!(matches!(found, Err(VersionError::Invalid(violations)) if violations.len() == 1));
    assert!(PolicyVersion::first(invalid, "an", start).is_err());
}
