//! How rows of the administrators' log name what was acted on, so that the same words never mean two things: person 1 and
//! request 1 of a domain are `tinh.gov.vn/person/1` and `tinh.gov.vn/request/1`.
//!
//! Invariants: what has an address is named by it, a domain by its name, the whole system by `*`; everything else by where it is,
//! its kind and its name there. Rows are never rewritten, as their digests are chained: those written before kinds were said are
//! found by their acts.

use store::AuditAlias;

/// Where what belongs to no domain is.
const SYSTEM: &str = "*";

/// What has neither an address nor a domain name to be called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditKind {
    /// By its code.
    Unit,
    /// A kind of units (loại đơn vị), by its id.
    UnitKind,
    /// By number, as are requests, reviews, imports and cases.
    Person,
    /// By its title.
    Position,
    Request,
    Review,
    Import,
    Case,
    /// A queued message, by our number for it.
    Queue,
    /// By its name.
    Job,
    /// A year's table of holidays.
    Holiday,
}

impl AuditKind {
    const OF_DOMAINS: [Self; 8] = [
        Self::Unit,
        Self::UnitKind,
        Self::Person,
        Self::Position,
        Self::Request,
        Self::Review,
        Self::Import,
        Self::Case,
    ];
    const OF_SYSTEM: [Self; 3] = [Self::Queue, Self::Job, Self::Holiday];

    /// This one of the domain.
    pub(crate) fn within(self, domain: impl std::fmt::Display, name: impl std::fmt::Display) -> String {
        format!("{domain}/{}/{name}", self.as_str())
    }

    /// This one of the whole system.
    pub(crate) fn of_system(self, name: &str) -> String {
        self.within(SYSTEM, name)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::UnitKind => "unit-kind",
            Self::Person => "person",
            Self::Position => "position",
            Self::Request => "request",
            Self::Review => "review",
            Self::Import => "import",
            Self::Case => "case",
            Self::Queue => "queue",
            Self::Job => "job",
            Self::Holiday => "holiday",
        }
    }

    /// How rows named it before they said kinds, in the domain (or `*`).
    fn formerly(self, place: &str, name: &str) -> String {
        match self {
            Self::Import => format!("{place}/import {name}"),
            Self::Case | Self::Queue | Self::Job | Self::Holiday => name.to_owned(),
            _ => format!("{place}/{name}"),
        }
    }

    /// The acts that were done to it, by which such rows are told from those of another kind.
    const fn acts(self) -> &'static [&'static str] {
        match self {
            Self::Unit => &[
                "unit.add",
                "unit.rename",
                "unit.recode",
                "unit.convert",
                "unit.move",
                "unit.merge",
                "unit.split",
                "unit.dissolve",
                "request.watch",
            ],
            Self::UnitKind => &["unit.kind"],
            Self::Person => {
                &["person.link", "person.transfer", "person.leave", "person.appoint", "person.relieve"]
            }
            Self::Position => &["position.put"],
            Self::Request => &["request.create", "request.attach", "request.assign", "request.decide"],
            Self::Review => &["review.open", "review.confirm", "review.end"],
            Self::Import => &["import.begin", "mailbox.add-many", "import.end", "import.reissue"],
            Self::Case => &["case.assign", "case.answer", "case.close", "case.turn-into-request"],
            Self::Queue => &["queue.change", "queue.redirect"],
            Self::Job => &["job.run", "job.pause"],
            Self::Holiday => &["holiday.set"],
        }
    }
}

/// Under which other names rows about what somebody looks for may be: as they were written before kinds were said, or, where he
/// says no kind, of each kind.
pub(super) fn aliases(sought: &str) -> Vec<AuditAlias> {
    let (place, rest) = sought.split_once('/').unwrap_or((SYSTEM, sought));
    let kinds: &[AuditKind] = match place {
        SYSTEM => &AuditKind::OF_SYSTEM,
        _ => &AuditKind::OF_DOMAINS,
    };
    let said = rest
        .split_once('/')
        .and_then(|(kind, name)| Some((kinds.iter().find(|known| known.as_str() == kind)?, name)));
    match said {
        Some((kind, name)) => {
            let target = kind.formerly(place, name);
            vec![AuditAlias { target, actions: Some(kind.acts()) }]
        }
        None => {
            let of = |kind: &AuditKind| AuditAlias { target: kind.within(place, rest), actions: None };
            kinds.iter().map(of).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sought_is_found_as_it_was_written_before() {
        for (sought, formerly, act) in [
            ("b.vn/unit/so.yte", "b.vn/so.yte", "unit.add"),
            ("b.vn/person/1", "b.vn/1", "person.transfer"),
            ("b.vn/position/Chuyên viên/Kế toán", "b.vn/Chuyên viên/Kế toán", "position.put"),
            ("b.vn/import/2", "b.vn/import 2", "import.begin"),
            ("b.vn/case/3", "3", "case.close"),
            ("*/job/keep-events", "keep-events", "job.run"),
        ] {
            let found = aliases(sought);
            let [AuditAlias { target, actions: Some(actions) }] = found.as_slice() else {
                panic!("{sought}: {found:?}");
            };
            assert_eq!(target, formerly);
            assert!(actions.contains(&act), "{sought}");
        }
    }

    #[test]
    fn without_a_kind_each_is_sought() {
        let targets =
            |sought: &str| -> Vec<String> { aliases(sought).into_iter().map(|alias| alias.target).collect() };
        assert!(targets("b.vn/1").contains(&"b.vn/person/1".to_owned()));
        assert!(targets("b.vn/1").contains(&"b.vn/request/1".to_owned()));
        assert!(targets("b.vn/a/b").contains(&"b.vn/position/a/b".to_owned()), "no kind is called a");
        assert_eq!(
            targets("keep-events"),
            ["*/queue/keep-events", "*/job/keep-events", "*/holiday/keep-events"]
        );
    }
}
