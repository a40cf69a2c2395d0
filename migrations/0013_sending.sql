-- How much each mailbox has sent lately, and to whom it ever wrote: what keeps a stolen password from becoming a spammer's
-- (docs/adr/0020-sending-limits.md).
--
-- One narrow row for each mailbox, changed once for each message that it submits, under that row's lock: exact, however many
-- nodes it sends by. Not waited for on the disk: what a crash of the machine forgets is a fraction of a second's count.

create table sending_counts (
    account_id      bigint constraint sending_counts_pkey primary key
                    constraint sending_counts_account_fkey references accounts on delete cascade,
    -- Windows begin with the first message after the one before has ended.
    hour_since      timestamptz not null,
    hour_messages   integer not null,
    hour_recipients integer not null,
    day_since       timestamptz not null,
    day_messages    integer not null,
    day_recipients  integer not null,
    -- Written to in this hour for the first time ever.
    strangers       integer not null,
    -- Messages to such that were refused in this hour.
    refused         integer not null,
    -- It was told in this hour.
    told            boolean not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table sending_counts is 'What each mailbox has sent in its present hour and day; a row that is over says nothing.';

create table correspondents (
    account_id  bigint not null constraint correspondents_account_fkey references accounts on delete cascade,
    -- Of the address as a path has it: the first eight octets of its BLAKE3. Nobody can be named by it.
    address_key bigint not null,
    last_at     timestamptz not null,
    constraint correspondents_pkey primary key (account_id, address_key)
);
-- Those that were not written to for long are forgotten.
create index correspondents_last on correspondents (last_at);
comment on table correspondents is 'Addresses elsewhere that a mailbox has written to, by their hashes: others are strangers to it.';

grant select, insert, update, delete on sending_counts, correspondents to congthu_server;
