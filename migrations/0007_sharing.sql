-- Delegations, hand-overs, groups, requests, cases, forwarding.
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

grant select, insert, update on delegations, handovers to congthu_server;
grant usage on all sequences in schema public to congthu_server;
