-- Addresses that groups had: those of groups that moved to another domain, which go on receiving for a time, and those of groups that
-- were removed, which are nobody else's for as long as the policy keeps mailboxes' (A1).

create table group_addresses (
    address    text constraint group_addresses_pkey primary key,
    -- Null: the group was removed.
    group_id   bigint constraint group_addresses_group_fkey references groups on delete set null,
    -- As the group was: the same one, made again, may have its address back.
    name       text not null,
    rule       text not null,
    unit_id    bigint,
    deep       boolean not null,
    -- It is given up then.
    until      timestamptz,
    -- Since when it receives nothing.
    retired_at timestamptz,
    constraint group_addresses_use_check check (group_id is not null or retired_at is not null)
);
create index group_addresses_group on group_addresses (group_id) where group_id is not null;
create index group_addresses_until on group_addresses (until) where until is not null;
comment on table group_addresses is 'Addresses that groups had besides the one they have; kept so that nobody else is given one too soon.';
grant select, insert, update, delete on group_addresses to congthu_server;

-- One address is one mailbox's or one group's, also by an address that either had.
create or replace function keep_addresses_apart() returns trigger
    language plpgsql set search_path = public, pg_temp
as $$
begin
    if tg_table_name = 'groups' then
        lock table addresses in share mode;
        if not exists (select from addresses where address = new.address)
           and not exists (select from group_addresses
                            where address = new.address and group_id is distinct from new.group_id) then
            return new;
        end if;
    elsif not exists (select from groups where address = new.address)
          and not exists (select from group_addresses where address = new.address) then
        return new;
    end if;
    raise exception 'the address is taken' using errcode = 'unique_violation', constraint = 'addresses_pkey';
end $$;
create trigger groups_apart_renamed before update of address on groups
    for each row when (old.address is distinct from new.address) execute function keep_addresses_apart();

-- Of which unit the group was that mail waits for: its officer lets it go out, too.
alter table held_messages add column unit_id bigint constraint held_messages_unit_fkey references units;
comment on column held_messages.unit_id is 'The unit of the group; null: it was of the domain.';

-- Owners are told of a move that was undone, too.
drop index move_steps_untold;
create index move_steps_untold on move_steps (move_id) where state in ('done', 'undone') and not told;
-- What was undone before this was there is not told of.
update move_steps set told = true where state = 'undone';
