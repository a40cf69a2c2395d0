-- Who was given which role, what is held for an inspection, announcements, how often mailboxes are checked.

-- Roles ----------------------------------------------------------------------------------------------------------

create table grants (
    grant_id   bigint generated always as identity constraint grants_pkey primary key,
    account_id bigint not null constraint grants_account_fkey references accounts,
    role       text not null
               constraint grants_role_check check (role in ('system-administrator', 'centre-operator',
                                                            'organisation-officer', 'inspector', 'helpdesk')),
    -- The scope: nothing at all (the system), a domain, a unit with what is below it, or one mailbox.
    domain_id  bigint constraint grants_domain_fkey references domains,
    unit_id    bigint constraint grants_unit_fkey references units,
    mailbox_id bigint constraint grants_mailbox_fkey references accounts,
    reason     text not null,
    given_by   text not null,
    given_at   timestamptz not null,
    until      timestamptz,
    revoked_by text,
    revoked_at timestamptz,
    constraint grants_scope_check check (case when mailbox_id is not null then unit_id is null and domain_id is null
                                              when unit_id is not null then domain_id is not null
                                              else true end)
);
create unique index grants_once on grants
    (account_id, role, coalesce(domain_id, 0), coalesce(unit_id, 0), coalesce(mailbox_id, 0)) where revoked_at is null;
comment on table grants is 'Administrative roles (vai trò) over scopes: who has which, by whom, until when; revoked ones stay.';

-- One query resolves what an act is done to: the units from the top of the tree to this one.
create function unit_path(p_unit_id bigint) returns bigint[]
    language sql stable
as $$
    with recursive up as (
        select u.unit_id, u.parent_id, 0 as depth from units u where u.unit_id = p_unit_id
        union all
        -- A tree has no rings; if one came about, an answer must come all the same.
        select u.unit_id, u.parent_id, up.depth + 1 from units u join up on u.unit_id = up.parent_id where up.depth < 64
    )
    select coalesce(array_agg(unit_id order by depth desc), '{}') from up
$$;
comment on function unit_path is 'The units from the top of the tree to this one; empty for null.';

-- What lists are narrowed to.
create function units_below(p_domain_ids bigint[], p_unit_ids bigint[]) returns setof bigint
    language sql stable
as $$
    with recursive below as (
        select u.unit_id, u.domain_id
          from unnest(p_domain_ids, p_unit_ids) as top (domain_id, unit_id) join units u using (unit_id, domain_id)
        union
        select u.unit_id, u.domain_id from units u join below b on u.parent_id = b.unit_id and u.domain_id = b.domain_id
    )
    select unit_id from below
$$;
comment on function units_below is 'These units, each in its domain, and all below them.';

-- Legal hold -----------------------------------------------------------------------------------------------------

create table holds (
    hold_id    bigint generated always as identity constraint holds_pkey primary key,
    -- Null: everybody's events.
    account_id bigint constraint holds_account_fkey references accounts,
    -- mailbox: it may not be deleted. events: those of the account within the period outlive their months.
    kind       text not null constraint holds_kind_check check (kind in ('mailbox', 'events')),
    period_from timestamptz,
    period_to   timestamptz,
    reason     text not null,
    placed_by  text not null,
    since      timestamptz not null,
    -- Letting go takes two people: one who asks and another who agrees.
    release_asked_by text,
    release_asked_at timestamptz,
    released_by text,
    released_at timestamptz,
    constraint holds_period_check check (case kind when 'events' then period_from is not null and period_to > period_from
                                                   else account_id is not null and period_from is null end)
);
create index holds_in_force on holds (account_id, kind) where released_at is null;
comment on table holds is 'Legal holds (lưu giữ theo yêu cầu pháp luật): what must not go, and who let it go in the end.';

create table events_held (
    event_id   bigint not null,
    at         timestamptz not null,
    kind       text not null,
    trace      text not null,
    account_id bigint,
    remote     text,
    sender     text,
    recipients text[],
    size       bigint,
    status     text,
    about      text,
    constraint events_held_pkey primary key (at, event_id)
);
comment on table events_held is 'Events under legal hold whose month was dropped; put in by drop_event_part alone.';

create function is_event_held(p_at timestamptz, p_account_id bigint, p_sender text, p_recipients text[]) returns boolean
    language sql stable
as $$
    select exists (
        select from holds h
         where h.kind = 'events' and h.released_at is null and p_at >= h.period_from and p_at < h.period_to
           and (h.account_id is null or h.account_id = p_account_id
                or exists (select from addresses a
                            where a.account_id = h.account_id and (a.address = lower(p_sender) or a.address = any (p_recipients)))))
$$;
comment on function is_event_held is 'Is the event one that a hold in force keeps?';

-- Parts go one by one: a drop keeps everybody from the log, so what is held is copied before it, and no further part is
-- copied meanwhile.
create function drop_event_part(p_now timestamptz, p_months integer) returns text
    language plpgsql security definer set search_path = public, pg_temp
as $$
declare
    part   text;
    -- Logs are kept at least six months (An Giang 63/2016 Điều 9.2): no caller can lower this, nor make it later.
    oldest timestamp := date_trunc('month', least(p_now, clock_timestamp()) at time zone 'UTC')
                        - make_interval(months => greatest(p_months, 6));
begin
    -- Nobody places a hold between the copy and the drop.
    lock table holds in share mode;
    select c.relname into part from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'events'::regclass and c.relname < 'events_' || to_char(oldest, 'YYYY_MM')
     order by c.relname limit 1;
    if part is not null then
        if exists (select from holds where kind = 'events' and released_at is null) then
            execute format(
                'insert into events_held (event_id, at, kind, trace, account_id, remote, sender, recipients, size, status, about)
                 select event_id, at, kind, trace, account_id, remote, sender, recipients, size, status, about from %I
                  where is_event_held(at, account_id, sender, recipients) on conflict do nothing', part);
        end if;
        execute format('drop table %I', part);
        return part;
    end if;
    insert into events_held (event_id, at, kind, trace, account_id, remote, sender, recipients, size, status, about)
        select event_id, at, kind, trace, account_id, remote, sender, recipients, size, status, about from events_default
         where at < oldest at time zone 'UTC' and is_event_held(at, account_id, sender, recipients)
        on conflict do nothing;
    delete from events_default where at < oldest at time zone 'UTC';
    return null;
end $$;
comment on function drop_event_part is
    'Drops the oldest part older than p_months, never younger than six, but for what is held; null when there is none.';

create function drop_released_events(p_now timestamptz, p_months integer) returns bigint
    language plpgsql security definer set search_path = public, pg_temp
as $$
declare
    forgotten bigint;
    oldest timestamp := date_trunc('month', least(p_now, clock_timestamp()) at time zone 'UTC')
                        - make_interval(months => greatest(p_months, 6));
begin
    lock table holds in share mode;
    delete from events_held
     where at < oldest at time zone 'UTC' and not is_event_held(at, account_id, sender, recipients);
    get diagnostics forgotten = row_count;
    return forgotten;
end $$;
comment on function drop_released_events is 'Forgets held events that no hold keeps any more and that are older than the months kept.';

-- Finding a message: what is looked for is known only later, so nothing is indexed while mail comes. A part is indexed once
-- nobody writes to it; a day is left for clocks that are behind.
create function index_event_part(p_now timestamptz) returns text
    language plpgsql security definer set search_path = public, pg_temp
as $$
declare
    part text;
begin
    perform pg_advisory_xact_lock(hashtext('congthu.events'));
    select c.relname into part
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'events'::regclass and c.relname ~ '^events_\d{4}_\d\d_\d\d$'
       and c.relname <= 'events_' || to_char((least(p_now, clock_timestamp()) at time zone 'UTC') - interval '7 days', 'YYYY_MM_DD')
       and to_regclass(c.relname || '_words') is null
     order by c.relname limit 1;
    if part is null then
        return null;
    end if;
    execute format('create index %I on %I (lower(sender)) where about is not null', part || '_sender', part);
    execute format('create index %I on %I using gin (recipients) with (fastupdate = off) where about is not null',
                   part || '_recipients', part);
    execute format('create index %I on %I (account_id, at) where kind = ''shared''', part || '_shared', part);
    execute format('create index %I on %I (split_part(about, E''\n'', 1)) where about is not null', part || '_queue', part);
    execute format('create index %I on %I (split_part(about, E''\n'', 2)) where about is not null', part || '_message', part);
    execute format('create index %I on %I using gin (string_to_array(split_part(about, E''\n'', 4), '' ''))
                     with (fastupdate = off) where about is not null', part || '_words', part);
    execute format('analyze %I', part);
    return part;
end $$;
comment on function index_event_part is 'Indexes the oldest part of the events that is written no more and has no index yet; says which.';

-- Announcements --------------------------------------------------------------------------------------------------

create table announcements (
    announcement_id bigint generated always as identity constraint announcements_pkey primary key,
    -- Null: every domain.
    domain_id    bigint constraint announcements_domain_fkey references domains,
    kind         text not null
                 constraint announcements_kind_check check (kind in ('planned-stop', 'emergency-stop', 'incident')),
    begins       timestamptz not null,
    -- Of an incident: when it is expected to be over; null: nobody knows.
    ends         timestamptz,
    text         text not null,
    -- Of an emergency: why it could not be announced in time.
    emergency    text,
    made_by      text not null,
    made_at      timestamptz not null,
    cancelled_by text,
    cancelled_at timestamptz,
    constraint announcements_end_check check (ends > begins)
);
comment on table announcements is 'Planned stops (tạm dừng dịch vụ) and incidents (sự cố), as they were announced.';

create table announced (
    content_id bigint constraint announced_pkey primary key
);
comment on table announced is 'Contents that tell everybody of an announcement: to read them is no use of a mailbox.';

-- Checking -------------------------------------------------------------------------------------------------------

create table checks (
    account_id bigint not null constraint checks_account_fkey references accounts on delete cascade,
    day        date not null,
    -- Bit n: somebody was there in the nth half hour of the day in Việt Nam.
    half_hours bigint not null,
    constraint checks_pkey primary key (day, account_id)
);
comment on table checks is 'In which half hours of a day each mailbox was looked at (tần suất kiểm tra thư).';

-- Rights ---------------------------------------------------------------------------------------------------------

-- Who gave which role to whom, what is held and why stays as it was written; only what comes later is.
grant select, insert on grants, holds, announcements, checks to congthu_server;
grant update (revoked_by, revoked_at, domain_id) on grants to congthu_server;
grant update (release_asked_by, release_asked_at, released_by, released_at) on holds to congthu_server;
grant update (cancelled_by, cancelled_at) on announcements to congthu_server;
grant update (half_hours) on checks to congthu_server;
grant select, insert on announced to congthu_server;
grant select on events_held to congthu_server;
revoke all on function drop_event_part(timestamptz, integer), drop_released_events(timestamptz, integer),
                       index_event_part(timestamptz) from public;
grant execute on function drop_event_part(timestamptz, integer), drop_released_events(timestamptz, integer),
                          index_event_part(timestamptz) to congthu_server;
grant usage on all sequences in schema public to congthu_server;
