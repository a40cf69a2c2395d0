-- Changes of addresses of many mailboxes (sáp nhập, chuyển sang tên miền mới): planned, run in batches, undone.
--
-- A mailbox keeps its number, its mail and its password: only what it is called changes. The address it had goes on
-- receiving as an alias until a day that the plan names.

alter table addresses add column until timestamptz;
comment on column addresses.until is 'An alias that is retired then; null: it stays.';
create index addresses_until on addresses (until) where until is not null;

create table moves (
    move_id     bigint generated always as identity constraint moves_pkey primary key,
    from_domain bigint not null constraint moves_from_fkey references domains,
    to_domain   bigint not null constraint moves_to_fkey references domains,
    state       text not null
                constraint moves_state_check check (state in ('planned', 'running', 'done', 'undoing', 'undone', 'cancelled')),
    reason      text not null,
    planned_by  text not null,
    planned_at  timestamptz not null,
    started_at  timestamptz,
    ended_at    timestamptz,
    -- Until when the addresses given up receive, and until when all can be undone; set when it starts.
    alias_until timestamptz,
    undo_until  timestamptz,
    -- What went to the other domain when it started, so that undoing knows.
    unit_ids    bigint[] not null default '{}',
    -- As they were called, one for each unit.
    unit_codes  text[] not null default '{}',
    person_ids  bigint[] not null default '{}',
    -- The domain's groups, and requests that were open.
    group_ids   bigint[] not null default '{}',
    request_ids bigint[] not null default '{}'
);
create unique index moves_one on moves (from_domain) where state in ('planned', 'running', 'undoing');
comment on table moves is 'Mailboxes of a domain that move to another one, all together.';

create table move_steps (
    move_id    bigint not null constraint move_steps_move_fkey references moves,
    account_id bigint not null constraint move_steps_account_fkey references accounts,
    old        text not null,
    -- Null: there is a conflict that somebody has to decide.
    new        text,
    state      text not null
               constraint move_steps_state_check check (state in ('pending', 'done', 'undone', 'skipped')),
    -- The owner was told of his new address.
    told       boolean not null default false,
    constraint move_steps_pkey primary key (move_id, account_id)
);
create unique index move_steps_new on move_steps (move_id, new);
create index move_steps_state on move_steps (move_id, state, account_id);
create index move_steps_untold on move_steps (move_id) where state = 'done' and not told;
comment on table move_steps is 'What each mailbox of a move was called, will be, and whether that is so.';

-- Who planned what, and what was called how, stays as it was written.
grant select, insert on moves, move_steps to congthu_server;
grant update (state, started_at, ended_at, alias_until, undo_until, unit_ids, unit_codes, person_ids, group_ids, request_ids)
    on moves to congthu_server;
grant update (new, state, told) on move_steps to congthu_server;
-- The history of units goes with them; what it says stays as it was.
grant update (domain_id) on unit_events to congthu_server;
grant usage on all sequences in schema public to congthu_server;
