-- The queue: mail on its way to others (docs/adr/0019-the-queue.md).
--
-- Rows are narrow and short-lived: written in the transaction that answers 250, changed a few times, and gone when the last
-- recipient has the message or its sender was told. What the server does for messages finds its rows by one of these
-- indexes; only the figures of each minute read all. What is gone is cleared away
-- after a thousand rows, not after a fifth of the table, as a claim walks over what has died at the head of its index.

create table queue_messages (
    message_id  bigint generated always as identity constraint queue_messages_pkey primary key,
    -- As the reply to its sender, the Received field and the log name it.
    queue_id    text not null,
    content_id  bigint not null,
    -- The return path; empty: null.
    sender      text not null,
    -- Who submitted it.
    account_id  bigint,
    -- RET and ENVID (RFC 3461 4.3, 4.4).
    ret         text,
    envid       text,
    -- What its octets need on the way: 1 8BITMIME, 2 SMTPUTF8, 4 REQUIRETLS.
    needs       smallint not null,
    -- As `events.about`.
    about       text not null,
    accepted_at timestamptz not null,
    -- To what other address somebody wants it sent, and who, since when: it takes a second one who says the same. Persons are
    -- told apart by their mailboxes' numbers, whoever is at the console by his name.
    redirect_to       text,
    redirect_asked_by text,
    redirect_asked_id bigint,
    redirect_asked_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
create index queue_messages_content on queue_messages (content_id);
create index queue_messages_queue_id on queue_messages (queue_id);
create index queue_messages_account on queue_messages (account_id) where account_id is not null;
comment on table queue_messages is 'Messages on their way to others, each until its last delivery has ended.';

create table queue_destinations (
    destination_id bigint generated always as identity constraint queue_destinations_pkey primary key,
    name        text not null constraint queue_destinations_name_key unique,
    -- When it is worth looking at next.
    next_at     timestamptz not null,
    -- The same for what is no report: not later than the first of it is due, and exact once somebody has looked in vain. So
    -- whoever may take no more reports passes over those that have nothing else.
    mail_at     timestamptz not null default '9000-01-01T00:00:00Z',
    -- How often running it could not be reached; then it rests, and one delivery goes first to see.
    failures    integer not null default 0,
    -- What was last said of reaching it.
    answer      text,
    answered_at timestamptz,
    used_at     timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
create index queue_destinations_next on queue_destinations (next_at);
create index queue_destinations_mail on queue_destinations (mail_at);
comment on table queue_destinations is 'Domains that mail goes to, while it does and some days.';

create sequence queue_delivery_ids;

create table queue_deliveries (
    delivery_id    bigint constraint queue_deliveries_pkey primary key default nextval('queue_delivery_ids'),
    message_id     bigint not null,
    destination_id bigint not null,
    -- 0 interactive, 1 bulk, 2 reports.
    priority       smallint not null,
    due_at         timestamptz not null,
    give_up_at     timestamptz not null,
    -- Null: its sender was told that it is late, or does not want to be.
    warn_at        timestamptz,
    attempts       integer not null default 0,
    -- Whose it is at the moment; the fence: who reports what another one has taken over changes nothing.
    lease_id       bigint,
    -- An administrator keeps it back, or its sender's mailbox was locked for what it sends; also while somebody has it.
    held           boolean not null default false,
    -- Since when: that time does not count towards giving it up.
    held_at        timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
create index queue_deliveries_due on queue_deliveries (destination_id, priority, due_at) where lease_id is null and not held;
create index queue_deliveries_message on queue_deliveries (message_id);
create index queue_deliveries_lease on queue_deliveries (lease_id) where lease_id is not null;
-- Few at a time.
create index queue_deliveries_held on queue_deliveries (destination_id) where held;
create index queue_deliveries_give_up on queue_deliveries (give_up_at) where lease_id is null and not held;
create index queue_deliveries_warn on queue_deliveries (warn_at) where warn_at is not null and lease_id is null and not held;
comment on table queue_deliveries is 'A message for a destination: the unit of work.';

create table queue_recipients (
    delivery_id bigint not null,
    nth         integer not null,
    address     text not null,
    -- ORCPT as it came (RFC 3461 4.2).
    orcpt       text,
    notify      smallint not null,
    -- What was last said of it, and by whom.
    code        integer,
    status      text,
    answer      text,
    host        text,
    answered_at timestamptz,
    constraint queue_recipients_pkey primary key (delivery_id, nth)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000);
comment on table queue_recipients is 'Addresses of a delivery that have not got the message yet.';

create table queue_leases (
    lease_id       bigint generated always as identity constraint queue_leases_pkey primary key,
    -- Null: deliveries of several destinations, which are told of or given up.
    destination_id bigint,
    node           text not null,
    until          timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
create index queue_leases_until on queue_leases (until);
comment on table queue_leases is 'What nodes work on, each until a moment that they put off while they live.';

-- Whoever keeps us from fetching a policy again must not have us send in the clear, also after a restart (RFC 8461 10.2).
create table mta_sts_policies (
    domain text constraint mta_sts_policies_pkey primary key,
    -- As the domain's hint called it.
    id     text not null,
    policy text not null,
    until  timestamptz not null
);
comment on table mta_sts_policies is 'Policies that domains publish for mail to them, while they hold.';

-- Mail that is to go later waits for that moment within the system, too (FUTURERELEASE, RFC 4865).
alter table pending_deliveries add column release_at timestamptz;
alter table pending_deliveries add column message_id bigint;
-- Kept back with its message of the queue, since then.
alter table pending_deliveries add column kept_at timestamptz;
create index pending_deliveries_message on pending_deliveries (message_id) where message_id is not null;
-- What is handed out next: at once, or when its moment has come.
create index pending_deliveries_now on pending_deliveries (attempts, pending_id) where held_id is null and release_at is null;
create index pending_deliveries_later on pending_deliveries (release_at) where held_id is null and release_at is not null and kept_at is null;
comment on column pending_deliveries.message_id is 'The message of the queue whose sender may still call it back.';

-- Automatic forwarding to the outside, where policy lets it.
alter table forwards add column outside text;
alter table forwards add constraint forwards_one_check check (target_id is null or outside is null);
comment on column forwards.outside is 'The address outside that mail goes to, instead of a mailbox.';

grant select, insert, update, delete on
    queue_messages, queue_destinations, queue_deliveries, queue_recipients, queue_leases, mta_sts_policies to congthu_server;
grant usage on all sequences in schema public to congthu_server;
