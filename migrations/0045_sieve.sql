-- Rules for mail that comes in (bộ lọc thư, Sieve: RFC 5228), and what is remembered between two messages.
--
-- Whose a script is: one mailbox's, one unit's (for all mailboxes of the unit itself and of those below it) or one domain's.

create table sieve_scripts (
    script_id  bigint generated always as identity constraint sieve_scripts_pkey primary key,
    account_id bigint constraint sieve_scripts_account_fkey references accounts on delete cascade,
    unit_id    bigint constraint sieve_scripts_unit_fkey references units on delete cascade,
    domain_id  bigint constraint sieve_scripts_domain_fkey references domains on delete cascade,
    -- NFC, as clients show it.
    name       text not null constraint sieve_scripts_name_check check (name <> '' and octet_length(name) <= 512),
    -- Of each owner one at most is followed.
    is_active  boolean not null default false,
    -- The newest of sieve_versions.
    version    integer not null constraint sieve_scripts_version_check check (version > 0),
    changed_at timestamptz not null,
    constraint sieve_scripts_one_owner_check check (num_nonnulls(account_id, unit_id, domain_id) = 1)
);
create unique index sieve_scripts_account_name on sieve_scripts (account_id, name) where account_id is not null;
create unique index sieve_scripts_unit_name on sieve_scripts (unit_id, name) where unit_id is not null;
create unique index sieve_scripts_domain_name on sieve_scripts (domain_id, name) where domain_id is not null;
create unique index sieve_scripts_account_active on sieve_scripts (account_id) where is_active and account_id is not null;
create unique index sieve_scripts_unit_active on sieve_scripts (unit_id) where is_active and unit_id is not null;
create unique index sieve_scripts_domain_active on sieve_scripts (domain_id) where is_active and domain_id is not null;
comment on table sieve_scripts is 'Bộ lọc thư: scripts of mailboxes, units and domains; few are active.';

create table sieve_versions (
    script_id bigint not null constraint sieve_versions_script_fkey references sieve_scripts on delete cascade,
    version   integer not null,
    source    text not null,
    -- Whoever put it there.
    put_by    text not null,
    put_at    timestamptz not null,
    constraint sieve_versions_pkey primary key (script_id, version)
);
comment on table sieve_versions is 'What a script was and is; never changed, the oldest go.';

-- One row, as forward_version: moved on in the transaction of each change of what is followed, an answer of a leave included.
create table sieve_version (
    only_one boolean constraint sieve_version_pkey primary key constraint sieve_version_one_check check (only_one),
    version  bigint not null
);
insert into sieve_version (only_one, version) values (true, 1);
comment on table sieve_version is 'Moves on with every change of which scripts are followed.';

-- Thư trả lời tự động khi vắng mặt: a notice of leave may answer by itself on its days.
alter table leaves add column answer_subject text;
alter table leaves add column answer text;
comment on column leaves.answer is 'What whoever writes on those days is answered; null: nothing.';
create index leaves_answer on leaves (to_day) where answer is not null and withdrawn_at is null;

create table sieve_answered (
    account_id  bigint not null constraint sieve_answered_account_fkey references accounts on delete cascade,
    -- BLAKE3 of what is answered and to whom (RFC 5230 4.2).
    key         bytea not null constraint sieve_answered_key_check check (octet_length(key) = 32),
    -- Until then he is not answered again.
    until       timestamptz not null,
    constraint sieve_answered_pkey primary key (account_id, key)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index sieve_answered_until on sieve_answered (until);
comment on table sieve_answered is 'Who was answered by itself, so that he is so once in a period (RFC 5230 4.2).';

create table sieve_seen (
    account_id  bigint not null constraint sieve_seen_account_fkey references accounts on delete cascade,
    -- BLAKE3 of handle and identifier (RFC 7352 3.1).
    key         bytea not null constraint sieve_seen_key_check check (octet_length(key) = 32),
    until       timestamptz not null,
    constraint sieve_seen_pkey primary key (account_id, key)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index sieve_seen_until on sieve_seen (until);
comment on table sieve_seen is 'What scripts have seen, for the test "duplicate" (RFC 7352).';

grant select, insert, update, delete on sieve_scripts, sieve_versions, sieve_answered, sieve_seen to congthu_server;
grant select, update on sieve_version to congthu_server;
grant update (answer, answer_subject) on leaves to congthu_server;
grant usage on all sequences in schema public to congthu_server;
