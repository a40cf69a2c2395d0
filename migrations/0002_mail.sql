-- The mail store: who has a mailbox, what lies in it, and the bytes behind it.
--
-- Read with docs/ARCHITECTURE.md, "Data". Three rules hold everywhere below:
--   * a writer of a mailbox first takes that account's row in `counters` (accounts in id order), and only then
--     touches its folders and entries; so modseq order is commit order and no two writers can deadlock;
--   * neither flags nor modseq of an entry is in any index (it would end heap-only updates);
--   * bytes are removed only by the sweeper, in two steps with a long pause between them;
--   * tables that every message writes carry no CHECK: Postgres reads and prepares each anew for each statement, which
--     made a third of what accepting a message costs it.

-- Organisation ---------------------------------------------------------------------------------------------------

create table domains (
    domain_id  bigint generated always as identity constraint domains_pkey primary key,
    name       text not null constraint domains_name_key unique
               constraint domains_name_check check (name = lower(name) and name <> ''),
    profile    text not null,
    created_at timestamptz not null
);
comment on table domains is 'Mail domains this installation hosts; the profile names the regulation it follows.';

create table units (
    unit_id    bigint generated always as identity constraint units_pkey primary key,
    domain_id  bigint not null constraint units_domain_fkey references domains,
    parent_id  bigint constraint units_parent_fkey references units,
    code       text not null constraint units_code_check check (code <> ''),
    name       text not null constraint units_name_check check (name <> ''),
    kind       text not null,
    created_at timestamptz not null,
    constraint units_code_key unique (domain_id, code)
);
comment on table units is 'Organisations (đơn vị) as a tree per domain.';

create table accounts (
    account_id      bigint generated always as identity constraint accounts_pkey primary key,
    domain_id       bigint not null constraint accounts_domain_fkey references domains,
    unit_id         bigint constraint accounts_unit_fkey references units,
    class           text not null
                    constraint accounts_class_check check (class in ('person', 'leader', 'organisation', 'service')),
    state           text not null
                    constraint accounts_state_check check (state in ('new', 'active', 'locked', 'to_be_deleted', 'deleted')),
    display_name    text not null,
    quota_bytes     bigint not null constraint accounts_quota_check check (quota_bytes >= 0),
    password_hash   text,
    password_change boolean not null,
    -- Raised when rights end (password changed, locked, deleted): sessions opened before are closed.
    security_epoch  bigint not null default 0,
    created_at      timestamptz not null
);
comment on table accounts is 'Mailboxes (hộp thư). A deleted one keeps its row, so that its number is never used again.';

create table addresses (
    address    text constraint addresses_pkey primary key,
    account_id bigint not null constraint addresses_account_fkey references accounts,
    kind       text not null constraint addresses_kind_check check (kind in ('primary', 'alias', 'retired')),
    created_at timestamptz not null
);
create unique index addresses_one_primary on addresses (account_id) where kind = 'primary';
create index addresses_account on addresses (account_id);
comment on table addresses is 'Every address ever given out; a retired one is kept so that nobody else is given it.';

-- Mailboxes ------------------------------------------------------------------------------------------------------

create table counters (
    account_id  bigint constraint counters_pkey primary key constraint counters_account_fkey references accounts,
    modseq      bigint not null default 1,
    used_bytes  bigint not null default 0,
    messages    bigint not null default 0,
    uid_validity bigint not null default 0
) with (fillfactor = 40);
comment on table counters is 'Per mailbox: modification sequence and usage. Its row is the lock of the mailbox.';

create table folders (
    folder_id    bigint generated always as identity constraint folders_pkey primary key,
    account_id   bigint not null constraint folders_account_fkey references accounts,
    name         text not null,
    -- archive, drafts, junk, sent or trash.
    special_use  text,
    uid_validity bigint not null,
    uid_next     bigint not null default 1,
    -- First uid no session has been told of as \Recent.
    recent_uid   bigint not null default 1,
    -- Last change of any kind, and last change of a flag or keyword: a folder view is renewed by what moved.
    modseq       bigint not null,
    flags_modseq bigint not null,
    -- Tombstones up to this modseq may be missing: who knew less reads the whole folder.
    tombstone_floor bigint not null default 0,
    created_at   timestamptz not null,
    constraint folders_name_key unique (account_id, name)
) with (fillfactor = 60);
comment on table folders is 'Folders of mailboxes, by full name.';

create table subscriptions (
    account_id bigint not null constraint subscriptions_account_fkey references accounts,
    name       text not null,
    constraint subscriptions_pkey primary key (account_id, name)
);
comment on table subscriptions is 'Folder names a user subscribed to; a name may outlive its folder (RFC 9051 6.3.7).';

create table keywords (
    account_id bigint not null constraint keywords_account_fkey references accounts,
    keyword_id smallint not null constraint keywords_id_check check (keyword_id between 1 and 250),
    name       text not null,
    constraint keywords_pkey primary key (account_id, keyword_id)
);
create unique index keywords_name_key on keywords (account_id, lower(name));
comment on table keywords is 'Keywords (labels) a mailbox has ever used.';

create sequence email_ids;

create table entries (
    account_id    bigint not null,
    folder_id     bigint not null,
    uid           bigint not null,
    content_id    bigint not null,
    email_id      bigint not null default nextval('email_ids'),
    thread_id     bigint not null,
    flags         integer not null,
    keywords      smallint[] not null default '{}',
    modseq        bigint not null,
    size          bigint not null,
    internal_date timestamptz not null,
    save_date     timestamptz not null,
    recipient     text,
    constraint entries_pkey primary key (account_id, folder_id, uid)
) partition by hash (account_id);
comment on table entries is 'One message in one folder: all that a further recipient costs.';

do $$
begin
    for part in 0..15 loop
        execute format(
            'create table entries_%s partition of entries for values with (modulus 16, remainder %s) with (fillfactor = 85)',
            lpad(part::text, 2, '0'), part);
    end loop;
end $$;
create index entries_content on entries (content_id);

create table tombstones (
    account_id bigint not null,
    folder_id  bigint not null,
    modseq     bigint not null,
    uid        bigint not null,
    constraint tombstones_pkey primary key (account_id, folder_id, modseq, uid)
);
comment on table tombstones is 'Uids that went, so that a client or another node can be told (RFC 7162 VANISHED).';

-- Bytes ----------------------------------------------------------------------------------------------------------

create table objects (
    object_id    bigint generated always as identity constraint objects_pkey primary key,
    name         text not null constraint objects_name_key unique,
    created_at   timestamptz not null,
    condemned_at timestamptz,
    condemned_round bigint not null default 0
);
create index objects_condemned on objects (condemned_at) where condemned_at is not null;
comment on table objects is 'Files or S3 objects that hold large chunks when [content] url is set; a name is used once.';

create table chunks (
    chunk_id      bigint generated always as identity constraint chunks_pkey primary key,
    hash          bytea not null constraint chunks_hash_key unique,
    size          integer not null,
    data          bytea,
    object_id     bigint constraint chunks_object_fkey references objects,
    object_offset bigint,
    object_length integer,
    created_at    timestamptz not null,
    condemned_at  timestamptz,
    -- Round of the sweeper in which it was condemned (see `installation`).
    condemned_round bigint not null default 0
) with (fillfactor = 95, toast_tuple_target = 8160);
-- What fits into a page stays in its row (toast_tuple_target): a small message then takes one write and one read less.
alter table chunks alter column data set storage external;
create index chunks_condemned on chunks (condemned_at) where condemned_at is not null;
create index chunks_object on chunks (object_id) where object_id is not null;
comment on table chunks is 'Content-defined pieces of messages, keyed by BLAKE3 of the plain bytes, zstd-compressed one by one.';

create table contents (
    content_id   bigint generated always as identity constraint contents_pkey primary key,
    size         bigint not null,
    chunk_ids    bigint[] not null,
    chunk_sizes  integer[] not null,
    envelope     bytea not null,
    structure    bytea not null,
    preview      text not null,
    thread_id    bigint not null,
    created_at   timestamptz not null,
    condemned_at timestamptz,
    condemned_round bigint not null default 0
);
create index contents_condemned on contents (condemned_at) where condemned_at is not null;
comment on table contents is 'The bytes and facts of one message as it arrived, shared by every entry that shows it; never changed.';

create table chunk_refs (
    chunk_id   bigint not null,
    content_id bigint not null,
    constraint chunk_refs_pkey primary key (chunk_id, content_id)
);
comment on table chunk_refs is 'Which contents need a chunk: what the sweeper asks.';

create table sweep_candidates (
    content_id bigint not null,
    noted_at   timestamptz not null
);
comment on table sweep_candidates is 'Contents that lost an entry: looked at by the sweeper, then forgotten.';

create table pending_deliveries (
    pending_id    bigint generated always as identity constraint pending_deliveries_pkey primary key,
    content_id    bigint not null,
    account_ids   bigint[] not null,
    folder_ids    bigint[] not null,
    recipients    text[] not null,
    internal_date timestamptz not null,
    attempts      integer not null default 0
);
create index pending_deliveries_content on pending_deliveries (content_id);
comment on table pending_deliveries is 'Accepted mail for more recipients than one transaction takes, in batches.';

-- Evidence -------------------------------------------------------------------------------------------------------

create table events (
    event_id   bigint generated always as identity,
    at         timestamptz not null,
    kind       text not null,
    trace      text not null,
    account_id bigint,
    remote     text,
    sender     text,
    recipients text[],
    size       bigint,
    status     text,
    -- Of a message: queue id, Message-ID, subject, and its words without marks, a line each (docs/adr/0017).
    about      text,
    constraint events_pkey primary key (at, event_id)
) partition by range (at);
-- For moments no month was made for, by a clock that is wrong: an event, and the mail it tells of, is never refused.
create table events_default partition of events default;
create index events_default_trace on events_default (trace);
comment on table events is 'What happened, in parts of some five days: received, delivered, log-ins, errors. Never content.';

create table audit (
    audit_id  bigint generated always as identity constraint audit_pkey primary key,
    at        timestamptz not null,
    actor     text not null,
    action    text not null,
    target    text not null,
    detail    jsonb not null,
    previous  bytea not null,
    digest    bytea not null constraint audit_digest_key unique
);

-- A row follows the one before: with the number its session has just drawn, and that row's digest. So whoever has the server's
-- role cannot put in a number far ahead, or a second end, which would make every later look find the chain torn.
create function audit_in_order() returns trigger
    language plpgsql
as $$
begin
    if new.audit_id is distinct from currval('audit_audit_id_seq')
       or new.previous is distinct from
          coalesce((select digest from audit order by audit_id desc limit 1), decode(repeat('00', 32), 'hex')) then
        raise exception 'acts are added at the end of the chain only' using errcode = 'CT005';
    end if;
    return new;
end $$;
create trigger audit_in_order before insert on audit for each row execute function audit_in_order();
comment on table audit is 'Administrative acts (nhật ký quản trị), append-only; each row carries the digest of the one before.';

create table installation (
    singleton   boolean constraint installation_pkey primary key default true
                constraint installation_singleton_check check (singleton),
    timeline_id integer not null,
    system_identifier bigint not null,
    database_oid bigint not null,
    -- How often the three were found to be others and every number jumped ahead.
    jumps bigint not null default 0,
    -- Up to these numbers chunks and objects have been looked at by the search for left-over ones, and folders by the
    -- present walk through their tombstones.
    chunks_checked  bigint not null default 0,
    objects_checked bigint not null default 0,
    folders_checked bigint not null default 0,
    -- The sweeper's round, and the transaction that began it.
    sweep_round bigint not null default 1,
    sweep_xmax  xid8 not null default '0'
);
comment on table installation is 'One row: what this database was when last looked at, to notice a failover or restore, and how far the sweeper has come.';

-- Parts of events are made and dropped by their owner only, through these functions. They go by the database's clock, as the
-- server may say what it likes. A month has six parts, which begin on its 1st, 6th, 11th, 16th, 21st and 26th: what is
-- looked for is read through in the open one and found by indexes in the others, so the open one is to stay small.

create function make_event_part(p_first date) returns void
    language plpgsql set search_path = public, pg_temp
as $$
declare
    part  text := 'events_' || to_char(p_first, 'YYYY_MM_DD');
    since timestamptz := p_first::timestamp at time zone 'UTC';
    until timestamptz := (case when extract(day from p_first) = 26 then date_trunc('month', p_first) + interval '1 month'
                               else p_first + interval '5 days' end)::timestamp at time zone 'UTC';
begin
    perform pg_advisory_xact_lock(hashtext('congthu.events'));
    if to_regclass(part) is not null then
        return;
    end if;
    -- What came before its month was made moves into it; nothing comes in between.
    lock table events_default in access exclusive mode;
    execute format('create table %I (like events including constraints including indexes)', part);
    execute format('create index %I on %I (trace)', part || '_trace', part);
    execute format(
        'with early as (delete from events_default where at >= %L and at < %L returning *)
         insert into %I select * from early', since, until, part);
    execute format('alter table events attach partition %I for values from (%L) to (%L)', part, since, until);
end $$;
comment on function make_event_part is 'Makes the partition that begins at this date, with what waits for it.';

create function make_event_month(p_month date) returns void
    language plpgsql set search_path = public, pg_temp
as $$
begin
    for nth in 0..5 loop
        perform make_event_part(p_month + 5 * nth);
    end loop;
end $$;
comment on function make_event_month is 'Makes the partitions of the month that begins at this date.';

create function keep_event_months() returns void
    language plpgsql security definer set search_path = public, pg_temp
as $$
declare
    month date;
begin
    for ahead in -1..2 loop
        month := (date_trunc('month', clock_timestamp() at time zone 'UTC') + make_interval(months => ahead))::date;
        -- The last one is made last.
        if to_regclass('events_' || to_char(month + 25, 'YYYY_MM_DD')) is null then
            perform make_event_month(month);
        end if;
    end loop;
end $$;
comment on function keep_event_months is 'Makes the partitions of the month before, this month and the two after it.';

-- Accepting a message --------------------------------------------------------------------------------------------

-- Keeps the chunks of a message from the sweeper for as long as this transaction may run, or fails with CT001 when one
-- is gone (the caller writes the chunks again). A chunk that is not condemned now cannot be deleted before the sweeper
-- has condemned it and waited for this transaction, which has a number from here on; a condemned one is freed by an
-- UPDATE, which the sweeper's DELETE re-checks (a mere row lock it would not).
create function hold_chunks(p_chunk_ids bigint[], p_hashes bytea[]) returns void
    language plpgsql
as $$
declare
    wanted    integer;
    found     integer;
    condemned integer;
begin
    -- Before the look at the chunks: who waits for older transactions must find this one.
    perform pg_current_xact_id();
    select count(distinct id) into wanted from unnest(p_chunk_ids) as id;
    -- One that is pardoned here is ours; one that was not condemned may be meanwhile, so it is looked at again.
    for attempt in 1 .. 10 loop
        -- By the hashes, too: after a crash, numbers that were given out and not yet flushed are given to others' chunks.
        select count(*), count(c.condemned_at) into found, condemned
          from (select distinct id, hash from unnest(p_chunk_ids, p_hashes) as held (id, hash)) as held
          join chunks c on c.chunk_id = held.id and c.hash = held.hash;
        exit when condemned = 0;
        perform 1 from chunks where chunk_id = any (p_chunk_ids) and condemned_at is not null
            order by chunk_id for no key update;
        update chunks set condemned_at = null where chunk_id = any (p_chunk_ids) and condemned_at is not null;
    end loop;
    if found <> wanted or condemned > 0 then
        raise exception 'a chunk was swept' using errcode = 'CT001';
    end if;
end $$;

create function add_content(
    p_now timestamptz, p_size bigint, p_chunk_ids bigint[], p_chunk_hashes bytea[], p_chunk_sizes integer[],
    p_envelope bytea, p_structure bytea, p_preview text, p_thread_id bigint
) returns bigint
    language plpgsql
as $$
declare
    new_id bigint;
begin
    perform hold_chunks(p_chunk_ids, p_chunk_hashes);
    insert into contents (size, chunk_ids, chunk_sizes, envelope, structure, preview, thread_id, created_at)
        values (p_size, p_chunk_ids, p_chunk_sizes, p_envelope, p_structure, p_preview, p_thread_id, p_now)
        returning content_id into new_id;
    insert into chunk_refs (chunk_id, content_id) select distinct id, new_id from unnest(p_chunk_ids) as id;
    return new_id;
end $$;

-- Puts one content into one folder of each account. Locking and reading are separate statements on purpose: each sees
-- what the one before waited for. Fails with CT002 when a mailbox or folder is gone, with CT004 when one would hold more than it may
-- (null: whatever it holds).
create function add_entries(
    p_now timestamptz, p_content_id bigint, p_account_ids bigint[], p_folder_ids bigint[], p_recipients text[],
    p_internal_date timestamptz, p_flags integer, p_keywords smallint[], p_bytes_max bigint[], p_messages_max bigint[]
) returns table (account_id bigint, folder_id bigint, uid bigint, modseq bigint)
    language plpgsql
as $$
#variable_conflict use_column
declare
    added bigint;
    full_ids text;
begin
    perform 1 from counters c where c.account_id = any (p_account_ids) order by c.account_id for no key update;
    return query
    with content as (
        select size, thread_id from contents where content_id = p_content_id
    ), bumped as (
        update counters c
           set modseq = c.modseq + 1, used_bytes = c.used_bytes + content.size, messages = c.messages + 1
          from content
         where c.account_id = any (p_account_ids)
        returning c.account_id, c.modseq, c.used_bytes, c.messages
    ), wanted as (
        select * from unnest(p_account_ids, p_folder_ids, p_recipients, p_bytes_max, p_messages_max)
                   as w (account_id, folder_id, recipient, bytes_max, messages_max)
    ), placed as (
        update folders f
           set uid_next = f.uid_next + 1, modseq = b.modseq
          from bumped b join wanted w on w.account_id = b.account_id
         where f.folder_id = w.folder_id and f.account_id = w.account_id
           and (w.bytes_max is null or b.used_bytes <= w.bytes_max)
           and (w.messages_max is null or b.messages <= w.messages_max)
        returning f.account_id, f.folder_id, f.uid_next - 1 as uid, f.modseq, w.recipient
    )
    insert into entries as e (account_id, folder_id, uid, content_id, thread_id, flags, keywords, modseq, size,
                              internal_date, save_date, recipient)
    select p.account_id, p.folder_id, p.uid, p_content_id, content.thread_id, p_flags, p_keywords, p.modseq,
           content.size, p_internal_date, p_now, p.recipient
      from placed p, content
    returning e.account_id, e.folder_id, e.uid, e.modseq;
    get diagnostics added = row_count;
    if added <> cardinality(p_account_ids) then
        select string_agg(c.account_id::text, ' ') into full_ids
          from unnest(p_account_ids, p_bytes_max, p_messages_max) as w (account_id, bytes_max, messages_max)
          join counters c on c.account_id = w.account_id
         where c.used_bytes > w.bytes_max or c.messages > w.messages_max;
        if full_ids is not null then
            raise exception 'a mailbox is full' using errcode = 'CT004', detail = full_ids;
        end if;
        raise exception 'a mailbox or folder is gone' using errcode = 'CT002';
    end if;
end $$;

-- Who receives mail for each of the addresses; those that nobody has are not there. Planned once for all: for each call anew,
-- which the planner likes better with a list, planning takes ten times as long as looking.
create function find_recipients(p_addresses text[]) returns table (
    address text, account_id bigint, folder_id bigint, state text, quota_bytes bigint, used_bytes bigint, messages bigint,
    domain_id bigint, full_since timestamptz
) language plpgsql stable set plan_cache_mode = force_generic_plan
as $$
begin
    return query
    select g.address, a.account_id, f.folder_id, a.state, a.quota_bytes, c.used_bytes, c.messages, a.domain_id, a.full_since
      from addresses g
      join accounts a on a.account_id = g.account_id
      join counters c on c.account_id = g.account_id
      join folders f on f.account_id = g.account_id and f.name = 'INBOX'
     where g.address = any (p_addresses) and g.kind <> 'retired';
end $$;

-- Sets flags of the listed entries (uids ascending) to (flags & p_keep) | p_set, leaving alone those that would not change, in
-- one statement that commits by itself. Returns the new modseq (null: no such mailbox), and when anything changed that of the
-- folder before, and which uids. Of many uids in a row one walk is made from the first to the last, each looked up in the list
-- (`+ 0`): searching the index for each costs more than the change. Lists are planned anew for the uids they have.
create function edit_system_flags(
    p_account_id bigint, p_folder_id bigint, p_uids bigint[], p_keep integer, p_set integer,
    out new_modseq bigint, out old_modseq bigint, out changed bigint[]
) language plpgsql
as $$
declare
    count    integer := cardinality(p_uids);
    is_dense boolean := p_uids[count] - p_uids[1] < 4 * count;
begin
    select c.modseq + 1 into new_modseq from counters c where c.account_id = p_account_id for no key update;
    if new_modseq is null or count = 0 then
        return;
    end if;
    if count = 1 then
        update entries e set flags = (e.flags & p_keep) | p_set, modseq = new_modseq
         where e.account_id = p_account_id and e.folder_id = p_folder_id and e.uid = p_uids[1]
           and e.flags <> ((e.flags & p_keep) | p_set)
        returning array[e.uid] into changed;
    else
        execute format(
            'with edited as (
                 update entries e set flags = (e.flags & $4) | $5, modseq = $6
                  where e.account_id = $1 and e.folder_id = $2 and e.uid between $7 and $8 and e.uid %s = any ($3)
                    and e.flags <> ((e.flags & $4) | $5)
                 returning e.uid
             ) select array_agg(uid) from edited', case when is_dense then '+ 0' else '' end)
           into changed
          using p_account_id, p_folder_id, p_uids, p_keep, p_set, new_modseq, p_uids[1], p_uids[count];
    end if;
    if changed is null then
        return;
    end if;
    update counters c set modseq = new_modseq where c.account_id = p_account_id;
    update folders f set modseq = new_modseq, flags_modseq = new_modseq
      from (select b.modseq from folders b where b.folder_id = p_folder_id) as before
     where f.folder_id = p_folder_id and f.account_id = p_account_id
    returning before.modseq into old_modseq;
end $$;

-- A message that was not acknowledged, because nobody knew whether its accepting statement would still run: it must not.
create table abandoned (
    trace text not null,
    at    timestamptz not null,
    constraint abandoned_pkey primary key (trace, at)
);
comment on table abandoned is 'Messages given up while the answer of their accepting statement was missing; kept for a day.';

-- Accepts small messages in one statement, which commits by itself: their new chunks, contents, entries and evidence, of all
-- or none. An act is what one 250 or OK answers for, with its event and so many messages; a message has so many pieces and
-- targets; a piece names its chunk by its place among the chunks, whose hashes ascend and which are each there once. Returns
-- the uid of each message that has one target. One row after another is cheaper here than sets: what goes together are a
-- handful of messages. Fails with CT001 when a chunk that was there is swept (then the chunks are written first), CT002 when
-- a mailbox is gone, CT003 when was_accepted said no, CT004 when a mailbox would have more than its target allows, and
-- unless it is to wait for them, CT005 when others hold mailboxes (or they are gone); DETAIL has their numbers.
-- Chunks are locked in the order of their hashes, mailboxes in that of their numbers. Who waits for mailboxes does so before he has any
-- chunk, and who has chunks passes over mailboxes that are not to be had. A transaction of its own (large mail, APPEND) takes chunks
-- first: against one that waits here it can deadlock over a condemned chunk that both pardon; one of them is then tried again.
create function accept_messages(
    p_at timestamptz[], p_kinds text[], p_traces text[], p_actors bigint[], p_remotes text[], p_senders text[],
    p_statuses text[], p_abouts text[], p_act_messages integer[],
    p_sizes bigint[], p_envelopes bytea[], p_structures bytea[], p_previews text[], p_thread_ids bigint[],
    p_flags integer[], p_internal_dates timestamptz[], p_message_pieces integer[], p_message_targets integer[],
    p_pieces integer[], p_hashes bytea[], p_chunk_sizes integer[], p_data bytea[],
    p_account_ids bigint[], p_folder_ids bigint[], p_recipients text[], p_bytes_max bigint[], p_messages_max bigint[],
    p_waits boolean
) returns bigint[]
    language plpgsql set plan_cache_mode = force_generic_plan
as $$
declare
    new_id      bigint;
    ids         bigint[] := '{}';
    known       bigint[] := '{}';
    known_hashes bytea[] := '{}';
    piece_ids   bigint[];
    new_modseq  bigint;
    new_uid     bigint;
    bytes       bigint;
    present     bigint;
    uids        bigint[] := '{}';
    had         bigint[];
    busy        text;
    message     integer := 0;
    piece       integer := 1;
    target      integer := 1;
    after_piece integer;
    after       integer;
    act_target  integer;
    act_bytes   bigint;
begin
    -- What whoever asks for the fate of these waits for.
    for act in 1 .. cardinality(p_traces) loop
        perform pg_advisory_xact_lock_shared(hashtextextended(p_traces[act], 0));
    end loop;
    if exists (select from abandoned a where a.trace = any (p_traces) and a.at = any (p_at)) then
        raise exception 'a message was given up' using errcode = 'CT003';
    end if;
    -- Whoever waits has nothing in hand that others wait for: a chunk of his keeps all mail with the same one from coming.
    if p_waits then
        perform 1 from counters c where c.account_id = any (p_account_ids) order by c.account_id for no key update;
    end if;
    for nth in 1 .. cardinality(p_hashes) loop
        insert into chunks (hash, size, data, created_at)
            values (p_hashes[nth], p_chunk_sizes[nth], p_data[nth], p_at[1])
            on conflict on constraint chunks_hash_key do nothing
            returning chunk_id into new_id;
        if new_id is null then
            select c.chunk_id into new_id from chunks c where c.hash = p_hashes[nth];
            if new_id is null then
                raise exception 'a chunk was swept' using errcode = 'CT001';
            end if;
            known := known || new_id;
            known_hashes := known_hashes || p_hashes[nth];
        end if;
        ids := ids || new_id;
    end loop;
    -- What this transaction has added nobody can sweep.
    if cardinality(known) > 0 then
        perform hold_chunks(known, known_hashes);
    end if;
    if not p_waits then
        select array_agg(account_id) into had
          from (select c.account_id from counters c where c.account_id = any (p_account_ids)
                 order by c.account_id for no key update skip locked) as locked;
        select string_agg(distinct id::text, ' ') into busy
          from unnest(p_account_ids) as id where had is null or id <> all (had);
        if busy is not null then
            raise exception 'a mailbox is busy' using errcode = 'CT005', detail = busy;
        end if;
    end if;
    for act in 1 .. cardinality(p_traces) loop
        act_target := target;
        act_bytes := 0;
        for nth in 1 .. p_act_messages[act] loop
            message := message + 1;
            after_piece := piece + p_message_pieces[message];
            after := target + p_message_targets[message];
            act_bytes := act_bytes + p_sizes[message];
            if after_piece = piece + 1 then
                piece_ids := array[ids[p_pieces[piece]]];
                insert into contents (size, chunk_ids, chunk_sizes, envelope, structure, preview, thread_id, created_at)
                    values (p_sizes[message], piece_ids, array[p_chunk_sizes[p_pieces[piece]]], p_envelopes[message],
                            p_structures[message], p_previews[message], p_thread_ids[message], p_at[act])
                    returning content_id into new_id;
                insert into chunk_refs (chunk_id, content_id) values (piece_ids[1], new_id);
            else
                insert into contents (size, chunk_ids, chunk_sizes, envelope, structure, preview, thread_id, created_at)
                    select p_sizes[message], coalesce(array_agg(ids[p_pieces[place]] order by place), '{}'),
                           coalesce(array_agg(p_chunk_sizes[p_pieces[place]] order by place), '{}'),
                           p_envelopes[message], p_structures[message], p_previews[message], p_thread_ids[message],
                           p_at[act]
                      from generate_series(piece, after_piece - 1) as place
                    returning content_id into new_id;
                insert into chunk_refs (chunk_id, content_id)
                    select distinct ids[p_pieces[place]], new_id from generate_series(piece, after_piece - 1) as place;
            end if;
            piece := after_piece;
            if after = target + 1 then
                update counters c
                   set modseq = c.modseq + 1, used_bytes = c.used_bytes + p_sizes[message], messages = c.messages + 1
                 where c.account_id = p_account_ids[target]
                returning c.modseq, c.used_bytes, c.messages into new_modseq, bytes, present;
                update folders f set uid_next = f.uid_next + 1, modseq = new_modseq
                 where f.folder_id = p_folder_ids[target] and f.account_id = p_account_ids[target]
                returning f.uid_next - 1 into new_uid;
                if new_modseq is null or new_uid is null then
                    raise exception 'a mailbox or folder is gone' using errcode = 'CT002';
                end if;
                if bytes > p_bytes_max[target] or present > p_messages_max[target] then
                    raise exception 'a mailbox is full' using errcode = 'CT004', detail = p_account_ids[target];
                end if;
                insert into entries (account_id, folder_id, uid, content_id, thread_id, flags, modseq, size,
                                     internal_date, save_date, recipient)
                    values (p_account_ids[target], p_folder_ids[target], new_uid, new_id, p_thread_ids[message],
                            p_flags[message], new_modseq, p_sizes[message], p_internal_dates[message], p_at[act],
                            p_recipients[target]);
                uids := uids || new_uid;
            else
                perform 1 from add_entries(p_at[act], new_id, p_account_ids[target : after - 1],
                                           p_folder_ids[target : after - 1], p_recipients[target : after - 1],
                                           p_internal_dates[message], p_flags[message], '{}',
                                           p_bytes_max[target : after - 1], p_messages_max[target : after - 1]);
                uids := uids || null::bigint;
            end if;
            target := after;
        end loop;
        insert into events (at, kind, trace, account_id, remote, sender, recipients, size, status, about)
            values (p_at[act], p_kinds[act], p_traces[act], p_actors[act], p_remotes[act], p_senders[act],
                    nullif(array_remove(p_recipients[act_target : target - 1], null), '{}'), act_bytes, p_statuses[act],
                    p_abouts[act]);
    end loop;
    return uids;
end $$;

-- For whoever did not get the answer of accept_messages: was the message accepted? If not, it never will be, even when its
-- statement has yet to begin on a connection that died.
create function was_accepted(p_now timestamptz, p_trace text, p_kind text) returns boolean
    language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(p_trace, 0));
    if exists (select from events where at = p_now and trace = p_trace and kind = p_kind) then
        return true;
    end if;
    delete from abandoned where at < p_now - interval '1 day';
    insert into abandoned (trace, at) values (p_trace, p_now) on conflict do nothing;
    return false;
end $$;

-- Rights ---------------------------------------------------------------------------------------------------------

grant select, insert, update, delete on
    domains, units, accounts, addresses, counters, folders, subscriptions, keywords, entries, tombstones,
    objects, chunks, contents, chunk_refs, sweep_candidates, pending_deliveries, abandoned, installation to congthu_server;
revoke all on events, events_default, audit from congthu_server;
grant select, insert on events, audit to congthu_server;
grant usage on all sequences in schema public to congthu_server;
revoke all on function keep_event_months(), make_event_month(date), make_event_part(date) from public;
revoke all on function make_event_month(date), make_event_part(date) from congthu_server;
grant execute on function keep_event_months() to congthu_server;
