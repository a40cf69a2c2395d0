//! A domain's policy in the words of the life cycle.

use model::lifecycle::{CountsAsUse, Rules};
use model::{Activity, Deletion, MailboxClass, Policy};

/// What the policy says of mailboxes' lives.
pub(crate) fn rules(policy: &Policy) -> Rules {
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let life = &policy.life;
    let delivery = life.activity == Activity::AnyTransaction;
    Rules {
        inactivity_months: life.lock_after.map(short),
        counts_as_use: CountsAsUse { delivery, ..CountsAsUse::default() },
        always_in_use: vec![MailboxClass::Service],
        warn_days: life.lock_warnings.iter().copied().map(short).collect(),
        unused_unit_months: life.unused_unit.map(short),
        restore_working_days: short(policy.request.restore_days),
        restore_needs_request: true,
        deletion_months: Some(short(life.delete_after_lock)),
        automatic_deletion: life.deletion == Deletion::Automatic,
        locked_receives: life.locked_receives,
        export_first: life.export_first,
        backup_days: short(life.backup_days),
    }
}
