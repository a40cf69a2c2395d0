//! Every action × role × scope × target, against a table of reach that is written down here once more, independently.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const A: DomainId = DomainId(1);
const B: DomainId = DomainId(2);

const ROOT: UnitId = UnitId(1);
const SO: UnitId = UnitId(10);
const PHONG: UnitId = UnitId(11);
const OTHER: UnitId = UnitId(20);
const FOREIGN: UnitId = UnitId(30);

/// The world: two domains, in A two organisations side by side, one with a room below it.
const TARGETS: &[(&str, Target<'_>)] = &[
    ("system", Target::System),
    ("domain A", Target::Domain(A)),
    ("domain B", Target::Domain(B)),
    ("unit root", Target::Unit { domain: A, path: &[ROOT] }),
    ("unit so", Target::Unit { domain: A, path: &[ROOT, SO] }),
    ("unit phong", Target::Unit { domain: A, path: &[ROOT, SO, PHONG] }),
    ("unit other", Target::Unit { domain: A, path: &[ROOT, OTHER] }),
    ("unit foreign", Target::Unit { domain: B, path: &[FOREIGN] }),
    ("box so", mailbox(100, A, &[ROOT, SO], AccountState::Active)),
    ("box phong", mailbox(110, A, &[ROOT, SO, PHONG], AccountState::Active)),
    ("box locked", mailbox(111, A, &[ROOT, SO, PHONG], AccountState::Locked)),
    ("box other", mailbox(200, A, &[ROOT, OTHER], AccountState::Active)),
    ("box homeless", mailbox(210, A, &[], AccountState::Active)),
    ("box foreign", mailbox(300, B, &[FOREIGN], AccountState::Active)),
    ("missing", Target::Missing),
];

const fn mailbox(id: i64, domain: DomainId, path: &[UnitId], state: AccountState) -> Target<'_> {
    Target::Mailbox { account: AccountId(id), domain, path, state, holder: None }
}

fn grant(role: Role, scope: Scope) -> Grant {
    Grant::new(role, scope).unwrap()
}

fn delegate(rights: &[Right]) -> Grant {
    Grant::delegate(AccountId(110), rights.iter().copied().collect()).unwrap()
}

fn actor(grants: &[Grant]) -> Actor {
    Actor { standing: Standing::Active, grants: grants.to_vec() }
}

/// Who is in the matrix, and which targets lie within reach, by name.
fn actors() -> Vec<(&'static str, Grant, &'static [&'static str])> {
    const ALL_BUT_MISSING: &[&str] = &[
        "system",
        "domain A",
        "domain B",
        "unit root",
        "unit so",
        "unit phong",
        "unit other",
        "unit foreign",
        "box so",
        "box phong",
        "box locked",
        "box other",
        "box homeless",
        "box foreign",
    ];
    const OF_A: &[&str] = &[
        "domain A",
        "unit root",
        "unit so",
        "unit phong",
        "unit other",
        "box so",
        "box phong",
        "box locked",
        "box other",
        "box homeless",
    ];
    const OF_SO: &[&str] = &["unit so", "unit phong", "box so", "box phong", "box locked"];
    let subtree = Scope::Subtree { domain: A, unit: SO };
    let one = Scope::Mailbox(AccountId(110));
    let mut actors = vec![
        ("administrator", grant(Role::SystemAdministrator, Scope::System), ALL_BUT_MISSING),
        ("operator", grant(Role::CentreOperator, Scope::Domain(A)), OF_A),
        ("officer", grant(Role::OrganisationOfficer, subtree), OF_SO),
        ("inspector of a domain", grant(Role::Inspector, Scope::Domain(A)), OF_A),
        ("inspector of a unit", grant(Role::Inspector, subtree), OF_SO),
        ("inspector of a mailbox", grant(Role::Inspector, one), &["box phong"]),
        ("helpdesk", grant(Role::Helpdesk, Scope::Domain(A)), OF_A),
        ("owner", grant(Role::MailboxOwner, one), &["box phong"]),
        ("delegate of all rights", delegate(&Right::ALL), &["box phong"]),
    ];
    for right in Right::ALL {
        actors.push((right.as_str(), delegate(&[right]), &["box phong"]));
    }
    let locked = grant(Role::MailboxOwner, Scope::Mailbox(AccountId(111)));
    actors.push(("owner of a locked mailbox", locked, &["box locked"]));
    actors
}

fn expected(grant: &Grant, action: Action, target: &Target<'_>, within: bool) -> Result<(), Reason> {
    if !within && !matches!(target, Target::System) {
        return Err(Reason::NotFound);
    }
    if !target.level().is_some_and(|level| action.levels().contains(level)) {
        return Err(Reason::Target);
    }
    match action.cell(grant.role()) {
        Cell::With(right) if within && !grant.rights().contains(right) => Err(Reason::Right(right)),
        Cell::Yes | Cell::With(_) if within => match target {
            Target::Mailbox { state: AccountState::Locked, .. }
                if action.uses_mailbox()
                    || (action.decides_on_incoming() && !grant.role().is_administrative()) =>
            {
                Err(Reason::Mailbox(AccountState::Locked))
            }
            _ => Ok(()),
        },
        _ => Err(Reason::Role),
    }
}

#[test]
fn matrix() {
    let mut permitted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut asked = 0;
    for (name, grant, reach) in actors() {
        let actor = actor(&[grant]);
        for &action in Action::ALL {
            for (target_name, target) in TARGETS {
                let within = reach.contains(target_name);
                let wanted = expected(&grant, action, target, within);
                let found = allows(&actor, action, target).map_err(|denied| denied.reason);
                assert_eq!(found, wanted, "{name}: {} on {target_name}", action.as_str());
                asked += 1;
                *permitted.entry(name).or_default() += usize::from(found.is_ok());
            }
        }
    }
    println!("{} actions, {asked} questions, permitted: {permitted:?}", Action::ALL.len());
    assert_eq!(asked, Action::ALL.len() * actors().len() * TARGETS.len());
    let wanted = BTreeMap::from(PERMITTED);
    assert_eq!(permitted, wanted);
}

/// How many of the questions each is answered with yes: changes of the table show here.
const PERMITTED: [(&str, usize); 15] = [
    ("administrator", 749),
    ("delegate of all rights", 34),
    ("helpdesk", 167),
    ("inspector of a domain", 188),
    ("inspector of a mailbox", 16),
    ("inspector of a unit", 90),
    ("manage", 15),
    ("officer", 97),
    ("operator", 508),
    ("owner", 49),
    ("owner of a locked mailbox", 28),
    ("read", 11),
    ("send-as", 3),
    ("send-on-behalf", 2),
    ("write", 7),
];

#[test]
fn the_roles_that_must_not_grow_unseen() {
    let may = |role: Role| -> BTreeSet<&str> {
        let cells = Action::ALL.iter().filter(|action| action.cell(role) != Cell::No);
        cells.map(|action| action.as_str()).collect()
    };
    let officer_changes = [
        "case.open",
        "group.approve",
        "notice.record",
        "report.submit",
        "request.attach",
        "request.create",
        "request.watch",
        "request.withdraw",
        "review.confirm",
    ];
    let changes = |role: Role| -> Vec<&str> {
        let of_role = may(role);
        let changing = Action::ALL.iter().filter(|a| !a.only_reads() && of_role.contains(a.as_str()));
        let mut names: Vec<&str> = changing.map(|action| action.as_str()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(changes(Role::OrganisationOfficer), officer_changes);
    assert_eq!(changes(Role::Inspector), [""; 0], "an inspector changes nothing");
    let helpdesk_changes = [
        "case.answer",
        "case.assign",
        "case.close",
        "case.open",
        "notice.record",
        "password.reset",
        "request.attach",
        "request.create",
        "session.end",
    ];
    assert_eq!(changes(Role::Helpdesk), helpdesk_changes);
}

#[test]
fn no_administrator_uses_a_mailbox() {
    let administrators = [
        Role::SystemAdministrator,
        Role::CentreOperator,
        Role::OrganisationOfficer,
        Role::Inspector,
        Role::Helpdesk,
    ];
    for &action in Action::ALL.iter().filter(|action| action.uses_mailbox()) {
        for role in administrators {
            assert_eq!(action.cell(role), Cell::No, "{} {}", action.as_str(), role.as_str());
        }
        assert_eq!(action.cell(Role::MailboxOwner), Cell::Yes, "{}", action.as_str());
    }
}

#[test]
fn the_invisible_and_the_missing_are_denied_alike() {
    let officer = actor(&[grant(Role::OrganisationOfficer, Scope::Subtree { domain: A, unit: SO })]);
    for &action in Action::ALL {
        let missing = allows(&officer, action, &Target::Missing);
        assert_eq!(missing, Err(Denied { reason: Reason::NotFound }));
        for name in ["unit root", "unit other", "unit foreign", "box other", "box homeless", "box foreign"] {
            let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
            let hidden = allows(&officer, action, target);
            assert_eq!(hidden, missing, "{} {name}", action.as_str());
            let (hidden, missing) = (hidden.unwrap_err(), missing.unwrap_err());
            assert_eq!(hidden.to_string(), missing.to_string());
            assert_eq!(hidden.reason.label(), missing.reason.label());
        }
    }
}

#[test]
fn lists_are_narrowed_to_what_single_questions_allow() {
    let subtree = Scope::Subtree { domain: A, unit: SO };
    let officer = actor(&[
        grant(Role::OrganisationOfficer, subtree),
        grant(Role::MailboxOwner, Scope::Mailbox(AccountId(200))),
    ]);
    assert_eq!(scopes(&officer, Action::MailboxList), [subtree]);
    assert_eq!(scopes(&officer, Action::MailboxShow), [subtree, Scope::Mailbox(AccountId(200))]);
    assert_eq!(scopes(&officer, Action::MailboxLock), []);
    for (name, grant, _) in actors() {
        let actor = actor(&[grant]);
        for &action in Action::ALL {
            let any = TARGETS.iter().any(|(_, target)| allows(&actor, action, target).is_ok());
            let listed = !scopes(&actor, action).is_empty();
            assert!(listed || !any, "{name}: {} is allowed and lists nothing", action.as_str());
        }
    }
}

#[test]
fn nothing_without_good_standing() {
    let everything: Vec<Grant> = actors().into_iter().map(|(_, grant, _)| grant).collect();
    let mut asked = 0;
    for standing in [Standing::Locked, Standing::Retired, Standing::MustChangePassword] {
        let somebody = Actor { standing, grants: everything.clone() };
        for &action in Action::ALL {
            let password = standing == Standing::MustChangePassword && action == Action::PasswordChange;
            assert_eq!(scopes(&somebody, action).is_empty(), !password);
            for (name, target) in TARGETS {
                let found = allows(&somebody, action, target);
                if password {
                    let own = matches!(*name, "box phong" | "box locked");
                    assert_eq!(found.is_ok(), own, "{name}");
                } else {
                    let reason = Reason::Standing(standing);
                    assert_eq!(found, Err(Denied { reason }), "{name} {}", action.as_str());
                }
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 3 * Action::ALL.len() * TARGETS.len());
}

#[test]
fn nobody_gets_into_the_mailbox_of_somebody_with_another_role() {
    let of = |holder: Option<Role>| Target::Mailbox {
        account: AccountId(400),
        domain: A,
        path: &[ROOT],
        state: AccountState::Active,
        holder,
    };
    let taking: Vec<Action> = Action::ALL.iter().copied().filter(|action| action.takes_over()).collect();
    assert_eq!(taking.len(), 11);
    let administrators = [
        grant(Role::SystemAdministrator, Scope::System),
        grant(Role::CentreOperator, Scope::Domain(A)),
        grant(Role::Helpdesk, Scope::Domain(A)),
    ];
    let mut refused = 0;
    for mine in administrators {
        for holder in Role::ALL.into_iter().filter(|role| role.is_administrative()) {
            for &action in Action::ALL {
                let plain = allows(&actor(&[mine]), action, &of(None));
                let held = allows(&actor(&[mine]), action, &of(Some(holder)));
                let over = matches!(
                    (mine.role(), holder),
                    (Role::SystemAdministrator, _) | (Role::CentreOperator, Role::OrganisationOfficer)
                );
                let higher = taking.contains(&action) && !over && plain.is_ok();
                let wanted = if higher { Err(Denied { reason: Reason::HigherRole }) } else { plain };
                assert_eq!(held, wanted, "{:?} {holder:?} {action:?}", mine.role());
                refused += usize::from(higher);
            }
        }
    }
    // The operator's nine against all but officers; the helpdesk's reset of passwords and end of sessions against all.
    assert_eq!(refused, 4 * 9 + 5 * 2);
    let owner = grant(Role::MailboxOwner, Scope::Mailbox(AccountId(400)));
    assert!(allows(&actor(&[owner]), Action::DelegateGrant, &of(Some(Role::SystemAdministrator))).is_ok());
}

#[test]
fn grants_add_up() {
    let both = actor(&[
        grant(Role::MailboxOwner, Scope::Mailbox(AccountId(200))),
        delegate(&[Right::Read]),
        delegate(&[Right::SendOnBehalf]),
    ]);
    let target = |name: &str| TARGETS.iter().find(|(known, _)| *known == name).unwrap().1;
    assert!(allows(&both, Action::MailRead, &target("box phong")).is_ok());
    assert!(allows(&both, Action::MailSendOnBehalf, &target("box phong")).is_ok());
    let reason = Reason::Right(Right::SendAs);
    assert_eq!(allows(&both, Action::MailSendAs, &target("box phong")), Err(Denied { reason }));
    assert!(allows(&both, Action::MailSendAs, &target("box other")).is_ok());
    let nobody = actor(&[]);
    assert!(
        Action::ALL
            .iter()
            .all(|action| { TARGETS.iter().all(|(_, target)| allows(&nobody, *action, target).is_err()) })
    );
}

#[test]
fn roles_are_given_over_the_scopes_they_have() {
    let subtree = Scope::Subtree { domain: A, unit: SO };
    let scopes = [Scope::System, Scope::Domain(A), subtree, Scope::Mailbox(AccountId(1))];
    let table = [
        (Role::SystemAdministrator, [true, false, false, false]),
        (Role::CentreOperator, [false, true, false, false]),
        (Role::OrganisationOfficer, [false, false, true, false]),
        (Role::Inspector, [false, true, true, true]),
        (Role::Helpdesk, [false, true, false, false]),
        (Role::MailboxOwner, [false, false, false, true]),
        (Role::Delegate, [false, false, false, false]),
    ];
    for (role, fits) in table {
        for (scope, fits) in scopes.into_iter().zip(fits) {
            assert_eq!(Grant::new(role, scope).is_ok(), fits, "{role:?} {scope:?}");
        }
    }
    assert_eq!(Grant::delegate(AccountId(1), Rights::NONE), Err(GrantError::Rights));
}

#[test]
fn names_are_unique_and_round_trip() {
    let names: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    let labels: BTreeSet<&str> = Action::ALL.iter().map(|action| action.label()).collect();
    assert_eq!((names.len(), labels.len()), (Action::ALL.len(), Action::ALL.len()));
    for &action in Action::ALL {
        assert_eq!(action.as_str().parse(), Ok(action));
        let (noun, verb) = action.as_str().split_once('.').unwrap();
        assert!(!noun.is_empty() && !verb.is_empty());
        assert!(Level::ALL.into_iter().any(|level| action.levels().contains(level)));
        assert!(Role::ALL.into_iter().any(|role| action.cell(role) != Cell::No), "{action:?}");
    }
    // The nouns of the command line: congthu unit|mailbox|request|…
    let nouns: BTreeSet<&str> = names.iter().filter_map(|name| Some(name.split_once('.')?.0)).collect();
    for noun in [
        "domain", "unit", "mailbox", "request", "group", "delegate", "handover", "policy", "audit", "trace",
        "job", "announce",
    ] {
        assert!(nouns.contains(noun), "{noun}");
    }
    assert!("mailbox.steal".parse::<Action>().is_err());
}

#[test]
fn two_people_for_what_cannot_be_undone_quietly() {
    let two: Vec<&str> =
        Action::ALL.iter().filter(|action| action.needs_second_person()).map(|a| a.as_str()).collect();
    assert_eq!(
        two,
        ["hold.release", "content.remove", "inspection.open", "inspection.export", "queue.redirect"]
    );
}

/// As the table of the life cycle has it (AG Đ8.3, B7), and the archive of all of the mail before.
#[test]
fn deletions_are_an_administrators() {
    for (action, role) in [Action::MailboxDelete, Action::MailboxExport]
        .into_iter()
        .flat_map(|action| Role::ALL.map(|role| (action, role)))
    {
        let may = action.cell(role) != Cell::No;
        assert_eq!(may, role == Role::SystemAdministrator, "{action:?} {role:?}");
    }
}
