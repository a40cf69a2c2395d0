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
    account_id bigint not null constraint holds_account_fkey references accounts,
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
    constraint holds_period_check check ((kind = 'events') = (period_from is not null and period_to > period_from))
);
create index holds_in_force on holds (account_id, kind) where released_at is null;
comment on table holds is 'Legal holds (lưu giữ theo yêu cầu pháp luật): what must not go, and who let it go in the end.';

-- Rights ---------------------------------------------------------------------------------------------------------

grant select, insert, update on grants, holds to congthu_server;
grant usage on all sequences in schema public to congthu_server;
