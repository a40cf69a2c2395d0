-- What failed of one message within minutes is told to its sender in one report (docs/adr/0019-the-queue.md): one message to many
-- whose servers refuse it at many moments would fill its sender's mailbox with hundreds of them.

-- When its sender is told of what is in queue_untold; null: nothing is.
alter table queue_messages add column tell_at timestamptz;
-- How often that was done.
alter table queue_messages add column tellings integer not null default 0;
create index queue_messages_tell on queue_messages (tell_at) where tell_at is not null;

create table queue_untold (
    untold_id  bigint generated always as identity constraint queue_untold_pkey primary key,
    message_id bigint not null,
    -- RFC 3464 2.3.3.
    action     text not null constraint queue_untold_action_check check (action in ('failed', 'relayed')),
    -- As its sender hears of it: by the address that he wrote to.
    address    text not null,
    -- ORCPT as it came.
    original   text,
    -- What was said, by whom, and when.
    code       integer,
    status     text not null,
    answer     text not null,
    host       text,
    said_at    timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
create index queue_untold_message on queue_untold (message_id);
comment on table queue_untold is 'Recipients whose course has ended and whose sender is yet to be told, each until the report is where it belongs.';

-- A message stays until its sender was told, also where a node of the release before ends it, which knows nothing of this.
create function keep_untold_message() returns trigger
    language plpgsql set search_path = public, pg_temp
as $$
begin
    return null;
end $$;
create trigger queue_messages_untold before delete on queue_messages for each row when (old.tell_at is not null)
    execute function keep_untold_message();

grant select, insert, update, delete on queue_untold to congthu_server;
grant usage on all sequences in schema public to congthu_server;
