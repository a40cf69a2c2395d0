-- Who may do what, from the first migration on.
--
-- Two roles. `congthu_owner` runs the migrations and owns every table, so it alone can alter them. `congthu_server` is
-- what the running server acts as: it reads and writes rows, and cannot alter a table nor touch an audit row.
--
-- There are deliberately no default privileges on tables: the months of `events` are made later by a function that runs
-- as the owner, and default privileges would let the server change them past the grants of their parent. So every
-- migration grants what it makes; a forgotten grant fails in the first test that uses the table.
--
-- The migrator has made the roles before this file when it was allowed to; roles belong to the whole cluster, so that
-- another database's migration may be making the same one at this moment.

do $$
begin
    if not exists (select from pg_roles where rolname = 'congthu_server') then
        begin
            create role congthu_server login;
        exception when duplicate_object or unique_violation then
            null;
        end;
    end if;
end $$;

revoke create on schema public from public;
grant usage on schema public to congthu_server;

-- Functions are executable by everybody unless said otherwise, which a security definer function must never be.
alter default privileges revoke execute on functions from public;
alter default privileges grant execute on functions to congthu_server;

create table migrations (
    version    integer constraint migrations_pkey primary key constraint migrations_version_check check (version > 0),
    name       text not null constraint migrations_name_key unique,
    checksum   bytea not null constraint migrations_checksum_check check (length(checksum) = 32),
    -- The database's clock: the migrator runs before there is anything that would need another one.
    applied_at timestamptz not null default now()
);
comment on table migrations is 'Which files of migrations/ this database has had, with the BLAKE3 of their text; written by the migrator.';
grant select on migrations to congthu_server;
