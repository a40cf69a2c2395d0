-- What an operator is told of a lock (tạm khóa): who locked a mailbox and what was seen, and which of its mail the lock itself keeps
-- back, also of what waits within the system.

alter table accounts add column locked_by text;
alter table accounts add column lock_note text;
comment on column accounts.locked_by is 'Who locked it last, as the audit trail names him; the word counts while it is locked or listed.';

alter table pending_deliveries add column kept_by text
    constraint pending_deliveries_kept_by_check check (kept_by in ('operator', 'lock'));
comment on column pending_deliveries.kept_by is 'As queue_deliveries.held_by.';
