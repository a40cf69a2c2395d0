-- Quarantine: a copy that stays for a legal hold alone, which its owner is not to learn of; and how much lies apart for each mailbox,
-- counted as it comes and goes.
--
-- Counted by triggers, so that what a node of the release before keeps apart, lets go or drops is counted too. That release does not know
-- of copies: until it is gone everywhere, owners who ask it see them.

alter table quarantined add column kept_since timestamptz;
comment on column quarantined.kept_since is 'Since when it is deleted, or over, for its owner, and stays for a legal hold alone; null: it waits for a decision.';
create index quarantined_kept on quarantined (account_id) where kept_since is not null;

create table quarantine_amounts (
    account_id bigint not null constraint quarantine_amounts_pkey primary key
               constraint quarantine_amounts_account_fkey references accounts,
    messages   bigint not null,
    -- Octets.
    bytes      bigint not null
) with (fillfactor = 50);
comment on table quarantine_amounts is 'How much is kept apart for a mailbox, without copies for a legal hold. Its row is the lock of who keeps something apart for it.';

create function count_quarantined() returns trigger
    language plpgsql set search_path = public, pg_temp
as $$
begin
    -- By number, as whoever locks several rows of it does.
    if tg_op = 'INSERT' then
        insert into quarantine_amounts as q (account_id, messages, bytes)
        select account_id, count(*), sum(size)::bigint from added where kept_since is null
         group by account_id order by account_id
        on conflict (account_id) do update set messages = q.messages + excluded.messages, bytes = q.bytes + excluded.bytes;
    elsif tg_op = 'DELETE' then
        insert into quarantine_amounts as q (account_id, messages, bytes)
        select account_id, -count(*), -sum(size)::bigint from gone where kept_since is null
         group by account_id order by account_id
        on conflict (account_id) do update set messages = q.messages + excluded.messages, bytes = q.bytes + excluded.bytes;
    else
        insert into quarantine_amounts as q (account_id, messages, bytes)
        select account_id, sum(messages), sum(bytes)::bigint
          from (select account_id, 1 as messages, size as bytes from added where kept_since is null
                union all select account_id, -1, -size from gone where kept_since is null) as changed
         group by account_id having sum(messages) <> 0 or sum(bytes) <> 0 order by account_id
        on conflict (account_id) do update set messages = q.messages + excluded.messages, bytes = q.bytes + excluded.bytes;
    end if;
    return null;
end $$;
create trigger quarantined_added after insert on quarantined referencing new table as added
    for each statement execute function count_quarantined();
create trigger quarantined_gone after delete on quarantined referencing old table as gone
    for each statement execute function count_quarantined();
create trigger quarantined_changed after update on quarantined referencing old table as gone new table as added
    for each statement execute function count_quarantined();
-- Behind the triggers, whose making waits for whoever writes, and keeps others waiting.
insert into quarantine_amounts (account_id, messages, bytes)
select account_id, count(*), sum(size)::bigint from quarantined group by account_id;

grant select, insert, update on quarantine_amounts to congthu_server;
