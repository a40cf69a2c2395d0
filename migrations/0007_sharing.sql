-- Delegations, hand-overs, groups, automatic forwarding, requests.
--
-- What is decided here in the name of an organisation stays: rows are ended, not removed, so that it can be shown later who
-- could do what and since when.

create table delegations (
    delegation_id bigint generated always as identity constraint delegations_pkey primary key,
    mailbox_id    bigint not null constraint delegations_mailbox_fkey references accounts,
    delegate_id   bigint not null constraint delegations_delegate_fkey references accounts,
    -- Bits of model::Right; never changed: other rights are another delegation.
    rights        smallint not null constraint delegations_rights_check check (rights between 1 and 31),
    -- Number and date of the paper (văn bản ủy quyền), or empty.
    document      text not null,
    -- Of a personal mailbox: how its owner consented.
    consent       text,
    given_by      text not null,
    given_at      timestamptz not null,
    since         timestamptz not null,
    until         timestamptz constraint delegations_until_check check (until > since),
    revoked_at    timestamptz,
    revoked_by    text,
    constraint delegations_own_check check (mailbox_id <> delegate_id)
);
create unique index delegations_one on delegations (mailbox_id, delegate_id) where revoked_at is null;
create index delegations_delegate on delegations (delegate_id) where revoked_at is null;
comment on table delegations is 'Who may use whose mailbox, without its password (ủy quyền); a revoked one stays as a record.';

create table handovers (
    handover_id bigint generated always as identity constraint handovers_pkey primary key,
    mailbox_id  bigint not null constraint handovers_mailbox_fkey references accounts,
    -- Whoever has used it so far and whoever will, as they are called in the record.
    from_name   text not null,
    to_name     text not null,
    -- The account of the new holder, where he is to have rights at once.
    to_id       bigint constraint handovers_to_fkey references accounts,
    to_rights   smallint not null,
    document    text not null,
    started_by  text not null,
    started_at  timestamptz not null,
    ended_at    timestamptz,
    ended_by    text,
    outcome     text constraint handovers_outcome_check check (outcome in ('finished', 'cancelled')),
    -- The record (biên bản bàn giao): folders with their counts, at the start and at the end.
    record      jsonb not null,
    constraint handovers_ended_check check ((ended_at is null) = (outcome is null))
);
create unique index handovers_one on handovers (mailbox_id) where ended_at is null;
create index handovers_mailbox on handovers (mailbox_id, handover_id);
comment on table handovers is 'Hand-overs of mailboxes (bàn giao nguyên trạng); while one runs nothing in its mailbox can be deleted.';

-- Groups -----------------------------------------------------------------------------------------------------------

create table groups (
    group_id   bigint generated always as identity constraint groups_pkey primary key,
    domain_id  bigint not null constraint groups_domain_fkey references domains,
    address    text not null constraint groups_address_key unique,
    name       text not null constraint groups_name_check check (name <> ''),
    rule       text not null constraint groups_rule_check
               check (rule in ('manual', 'everybody', 'people', 'leaders', 'organisations', 'clerks', 'offices')),
    -- Of which unit; null: of the domain.
    unit_id    bigint constraint groups_unit_fkey references units,
    -- With the units below it.
    deep       boolean not null,
    senders    text not null constraint groups_senders_check check (senders in ('everybody', 'local', 'members', 'listed')),
    made_by    text not null,
    made_at    timestamptz not null
);
create index groups_domain on groups (domain_id, address);
comment on table groups is 'Addresses of many (nhóm): by a rule, from the tree as it is when mail comes, or by hand.';

create table group_members (
    group_id        bigint not null constraint group_members_group_fkey references groups on delete cascade,
    account_id      bigint constraint group_members_account_fkey references accounts,
    member_group_id bigint constraint group_members_member_fkey references groups on delete cascade,
    constraint group_members_one_check check ((account_id is null) <> (member_group_id is null)),
    constraint group_members_key unique nulls not distinct (group_id, account_id, member_group_id)
);
create index group_members_account on group_members (account_id) where account_id is not null;
create index group_members_member on group_members (member_group_id) where member_group_id is not null;
comment on table group_members is 'Who was put into a group by hand: mailboxes, and other groups.';

create table group_senders (
    group_id   bigint not null constraint group_senders_group_fkey references groups on delete cascade,
    account_id bigint not null constraint group_senders_account_fkey references accounts,
    constraint group_senders_pkey primary key (group_id, account_id)
);
comment on table group_senders is 'Who may write to a group whose senders are listed.';

create table held_messages (
    held_id    bigint generated always as identity constraint held_messages_pkey primary key,
    domain_id  bigint not null constraint held_messages_domain_fkey references domains,
    group_name text not null,
    content_id bigint not null,
    -- As the events have them, for that of the decision.
    trace      text not null,
    about      text,
    sender_id  bigint,
    sender     text not null,
    subject    text not null,
    members    integer not null,
    held_at    timestamptz not null,
    decided_at timestamptz,
    decided_by text,
    outcome    text constraint held_messages_outcome_check check (outcome in ('approved', 'rejected')),
    reason     text
);
create index held_messages_open on held_messages (domain_id, held_id) where outcome is null;
comment on table held_messages is 'Mail to large groups that waits for approval (duyệt); its recipients are pending deliveries that name it.';
alter table pending_deliveries add column held_id bigint;
create index pending_deliveries_held on pending_deliveries (held_id) where held_id is not null;

-- One address is one mailbox's or one group's. A group is seldom made: until it is committed, nobody is given an address.
create function keep_addresses_apart() returns trigger
    language plpgsql set search_path = public, pg_temp
as $$
begin
    if tg_table_name = 'groups' then
        lock table addresses in share mode;
        if not exists (select from addresses where address = new.address) then
            return new;
        end if;
    elsif not exists (select from groups where address = new.address) then
        return new;
    end if;
    raise exception 'the address is taken' using errcode = 'unique_violation', constraint = 'addresses_pkey';
end $$;
create trigger addresses_apart before insert on addresses for each row execute function keep_addresses_apart();
create trigger groups_apart before insert on groups for each row execute function keep_addresses_apart();

-- Automatic forwarding -----------------------------------------------------------------------------------------------

create table forwards (
    account_id bigint constraint forwards_pkey primary key constraint forwards_account_fkey references accounts,
    -- Null: it was ended.
    target_id  bigint constraint forwards_target_fkey references accounts,
    keep_copy  boolean not null,
    set_by     text not null,
    set_at     timestamptz not null,
    constraint forwards_own_check check (target_id <> account_id)
);
create index forwards_target on forwards (target_id) where target_id is not null;
comment on table forwards is 'Where mail of a mailbox goes by itself (chuyển thư tự động); kept in the memory of every node.';

-- A row and not a sequence: whoever changes what holds keeps it until his commit, so that its numbers come in the order of commits.
create table forward_version (
    only_one boolean constraint forward_version_pkey primary key constraint forward_version_one_check check (only_one),
    version  bigint not null
);
insert into forward_version (only_one, version) values (true, 1);
comment on table forward_version is 'Moves on with every change of what is in force of the forwards: one of theirs, or of their mailboxes'' stages.';

-- The directory's words, compared without marks: Vietnamese letters to those they are made of.
create function fold_words(p_text text) returns text
    language sql immutable parallel safe
as $$
    select translate(lower(normalize(p_text)),
        'àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬÈÉẺẼẸÊỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢÙÚỦŨỤƯỪỨỬỮỰỲÝỶỸỴĐ',
        'aaaaaaaaaaaaaaaaaeeeeeeeeeeeiiiiiooooooooooooooooouuuuuuuuuuuyyyyydaaaaaaaaaaaaaaaaaeeeeeeeeeeeiiiiiooooooooooooooooouuuuuuuuuuuyyyyyd')
$$;
comment on function fold_words is 'Small letters without marks, for looking up names.';

-- Requests -------------------------------------------------------------------------------------------------------

create table requests (
    request_id   bigint generated always as identity constraint requests_pkey primary key,
    domain_id    bigint not null constraint requests_domain_fkey references domains,
    -- Whose request it is, and which mailbox it is about; one of them at least.
    unit_id      bigint constraint requests_unit_fkey references units,
    account_id   bigint constraint requests_account_fkey references accounts,
    kind         text not null constraint requests_kind_check
                 check (kind in ('create', 'change', 'revoke', 'restore', 'transfer', 'rename', 'dissolve')),
    state        text not null constraint requests_state_check
                 check (state in ('new', 'accepted', 'done', 'refused', 'withdrawn')),
    subject      text not null,
    detail       text not null,
    -- Number and date of the paper (văn bản đề nghị), or empty.
    document     text not null,
    requested_by text not null,
    requester_id bigint constraint requests_requester_fkey references accounts,
    received_at  timestamptz not null,
    due_on       date not null,
    assignee     text,
    decision     text,
    decided_by   text,
    decided_at   timestamptz,
    constraint requests_about_check check (unit_id is not null or account_id is not null)
);
create index requests_open on requests (domain_id, due_on) where state in ('new', 'accepted');
create index requests_domain on requests (domain_id, request_id);
comment on table requests is 'Đề nghị to create, change, revoke, restore, transfer, rename or dissolve, with their decisions.';

create table request_events (
    request_id bigint not null constraint request_events_request_fkey references requests,
    at         timestamptz not null,
    actor      text not null,
    act        text not null,
    note       text not null
);
create index request_events_request on request_events (request_id, at);
comment on table request_events is 'What was done about a request, in order.';

create table request_documents (
    document_id bigint generated always as identity constraint request_documents_pkey primary key,
    request_id  bigint not null constraint request_documents_request_fkey references requests,
    name        text not null,
    media_type  text not null,
    hash        bytea not null constraint request_documents_hash_check check (length(hash) = 32),
    data        bytea not null constraint request_documents_data_check check (length(data) <= 20971520),
    added_by    text not null,
    added_at    timestamptz not null
);
create index request_documents_request on request_documents (request_id);
comment on table request_documents is 'The (signed) documents of requests, with BLAKE3 of their bytes.';

create table request_watchers (
    request_id bigint not null constraint request_watchers_request_fkey references requests,
    account_id bigint not null constraint request_watchers_account_fkey references accounts,
    constraint request_watchers_pkey primary key (request_id, account_id)
);
comment on table request_watchers is 'Who is told of what becomes of a request (AG Đ7.3).';

-- What was given, handed over or held, and by whom, stays as it was written; only its end is added.
grant select, insert on delegations, handovers, held_messages to congthu_server;
grant update (revoked_at, revoked_by) on delegations to congthu_server;
grant update (ended_at, ended_by, outcome, record) on handovers to congthu_server;
grant update (outcome, decided_by, reason, decided_at) on held_messages to congthu_server;
grant select, insert, update on forwards, requests to congthu_server;
grant select, update on forward_version to congthu_server;
grant select, insert on request_events, request_documents, request_watchers to congthu_server;
grant select, insert, update, delete on groups, group_members, group_senders to congthu_server;
grant usage on all sequences in schema public to congthu_server;
