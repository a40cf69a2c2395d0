-- Why mail of the queue is kept back, for whoever looks at it.

alter table queue_deliveries add column held_by text
    constraint queue_deliveries_held_by_check check (held_by in ('operator', 'lock'));
comment on column queue_deliveries.held_by is 'Who keeps it back: an administrator, or the lock of its sender''s mailbox.';
