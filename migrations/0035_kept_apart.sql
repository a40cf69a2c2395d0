-- What keeping mail apart lacked: whether its author was shown to be him, who was told of what the filter keeps back of what is sent, and
-- indexes for what is asked each minute and each night.

-- False for what is there already, and for what a node of the release before adds: so nobody is blocked by what others wrote in his name.
alter table quarantined add column is_shown boolean not null default false;
comment on column quarantined.is_shown is 'What passed (SPF, DKIM) is of its author''s domain.';
alter table listed_senders add column is_shown boolean not null default false;
comment on column listed_senders.is_shown is 'The mail it was made from was; where it was not, a blocked sender is met only in mail that is not.';

-- How much there is of a mailbox, and of all, is read from it alone.
drop index quarantined_account;
create index quarantined_account on quarantined (account_id, held_id) include (size);

alter table queue_deliveries add column is_told boolean not null default false;
comment on column queue_deliveries.is_told is 'Its sender had a letter that the filter for spam keeps it back.';
create index queue_deliveries_filtered on queue_deliveries (held_at) where held_by = 'filter';
create index queue_deliveries_untold on queue_deliveries (message_id) where held_by = 'filter' and not is_told;

grant update (is_shown) on listed_senders to congthu_server;
