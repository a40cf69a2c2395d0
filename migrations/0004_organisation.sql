-- The tree of organisations with its history, people and their positions, and imports of many.
--
-- Acts on one domain's organisation, and grants of addresses made from names, take the domain's row first (for no key
-- update), so two of them never see the same tree, the same register or the same free address. History (`unit_events`) may
-- only be added to; it goes with its domain, which only goes when it never gave out an address.

-- Units ------------------------------------------------------------------------------------------------------------

alter table units
    add column identifier   text,
    add column dissolved_on date,
    -- Whoever took over a dissolved unit's work.
    add column successors   bigint[] not null default '{}';
comment on column units.identifier is 'Mã định danh.';

create table unit_kinds (
    domain_id bigint not null constraint unit_kinds_domain_fkey references domains on delete cascade,
    kind      text not null constraint unit_kinds_kind_check check (kind <> ''),
    label     text not null constraint unit_kinds_label_check check (label <> ''),
    tier      text not null
              constraint unit_kinds_tier_check check (tier in ('province', 'department', 'district', 'commune', 'inner')),
    -- No unit of the kind is founded from this day on.
    ended_on  date,
    constraint unit_kinds_pkey primary key (domain_id, kind)
);
comment on table unit_kinds is 'Kinds of units (loại đơn vị) that a domain has beside, or instead of, the built-in ones.';

create table unit_events (
    unit_event_id bigint generated always as identity constraint unit_events_pkey primary key,
    domain_id bigint not null constraint unit_events_domain_fkey references domains on delete cascade,
    unit_id   bigint not null constraint unit_events_unit_fkey references units on delete cascade,
    on_day    date not null,
    happening jsonb not null,
    at        timestamptz not null
);
create index unit_events_domain on unit_events (domain_id, unit_event_id);
create index unit_events_unit on unit_events (unit_id);
comment on table unit_events is 'What happened to units, in the order in which it was recorded; on_day is the day it took effect.';

-- People -----------------------------------------------------------------------------------------------------------

create table people (
    person_id  bigint generated always as identity constraint people_pkey primary key,
    domain_id  bigint not null constraint people_domain_fkey references domains on delete cascade,
    full_name  text not null constraint people_name_check check (full_name <> ''),
    birth_year smallint constraint people_birth_year_check check (birth_year between 1900 and 2100),
    created_at timestamptz not null
);
create index people_name on people (domain_id, lower(full_name));
comment on table people is 'People (cán bộ, công chức, viên chức), whatever mailboxes and positions they have.';

create table positions (
    position_id bigint generated always as identity constraint positions_pkey primary key,
    domain_id   bigint not null constraint positions_domain_fkey references domains on delete cascade,
    title       text not null constraint positions_title_check check (title <> ''),
    leader      boolean not null,
    rank        smallint not null constraint positions_rank_check check (rank between 1 and 255)
);
create unique index positions_title_key on positions (domain_id, lower(title));
comment on table positions is 'Chức vụ of a domain; leaders have the leader''s mailbox, rank 1 is the highest.';

create table memberships (
    membership_id bigint generated always as identity constraint memberships_pkey primary key,
    person_id  bigint not null constraint memberships_person_fkey references people on delete cascade,
    unit_id    bigint not null constraint memberships_unit_fkey references units on delete cascade,
    from_day   date not null,
    -- Exclusive; null: still there.
    until_day  date,
    constraint memberships_period_check check (until_day is null or until_day >= from_day)
);
create unique index memberships_one_open on memberships (person_id) where until_day is null;
create index memberships_person on memberships (person_id);
create index memberships_unit on memberships (unit_id);
comment on table memberships is 'Who belonged to which unit when; at most one at a time.';

create table appointments (
    appointment_id bigint generated always as identity constraint appointments_pkey primary key,
    person_id   bigint not null constraint appointments_person_fkey references people on delete cascade,
    unit_id     bigint not null constraint appointments_unit_fkey references units on delete cascade,
    position_id bigint not null constraint appointments_position_fkey references positions on delete cascade,
    from_day    date not null,
    until_day   date,
    constraint appointments_period_check check (until_day is null or until_day >= from_day)
);
create unique index appointments_one_open on appointments (person_id, unit_id, position_id) where until_day is null;
create index appointments_unit on appointments (unit_id);
comment on table appointments is 'Who held which position in which unit when; the unit need not be the person''s own.';

-- Mailboxes --------------------------------------------------------------------------------------------------------

alter table accounts add column person_id bigint constraint accounts_person_fkey references people;
create index accounts_person on accounts (person_id) where person_id is not null;
create index accounts_unit on accounts (unit_id) where unit_id is not null;
comment on column accounts.person_id is 'Whose personal mailbox it is; whether one person may have several is the domain''s policy.';

alter table addresses
    -- The rule of the naming scheme that made it; null: an administrator chose it.
    add column rule text,
    add column retired_at timestamptz;

-- Imports ----------------------------------------------------------------------------------------------------------

create table imports (
    import_id   bigint generated always as identity constraint imports_pkey primary key,
    domain_id   bigint not null constraint imports_domain_fkey references domains on delete cascade,
    -- BLAKE3 of the file: the same file goes on with the same import.
    digest      bytea not null,
    file_name   text not null,
    row_count   integer not null,
    actor       text not null,
    started_at  timestamptz not null,
    finished_at timestamptz,
    constraint imports_digest_key unique (domain_id, digest)
);
comment on table imports is 'Files of many mailboxes that were, or are being, made.';

create table import_rows (
    import_id  bigint not null constraint import_rows_import_fkey references imports on delete cascade,
    -- As the spreadsheet numbers it, the header being 1.
    row_number integer not null,
    account_id bigint not null constraint import_rows_account_fkey references accounts,
    constraint import_rows_pkey primary key (import_id, row_number)
);
comment on table import_rows is 'Which row became which mailbox: written in the transaction that makes it, so a row is never made twice.';

grant select, insert, update, delete on unit_kinds, people, positions, memberships, appointments to congthu_server;
grant select, insert on unit_events, import_rows to congthu_server;
grant select, insert, update on imports to congthu_server;
grant usage on all sequences in schema public to congthu_server;
