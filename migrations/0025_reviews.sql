-- Units go through their list of mailboxes on a schedule (rà soát danh sách hộp thư, AG Đ10.2b, ST Đ11.2): when it was asked for, until
-- when, and what was said of each mailbox.
--
-- A review is its unit's, in whichever domain that is: a unit that moves takes it along.

create table reviews (
    review_id   bigint generated always as identity constraint reviews_pkey primary key,
    unit_id     bigint not null constraint reviews_unit_fkey references units,
    opened_at   timestamptz not null,
    opened_by   text not null,
    due_on      date not null,
    -- The mailboxes that were there when it was opened: these are to be answered for; what came since may be.
    listed      bigint[] not null,
    -- When it was said, once, that it is overdue.
    reminded_at timestamptz,
    finished_at timestamptz,
    finished_by text,
    -- Number and date of the paper, or empty; a remark on the whole.
    document    text not null default '',
    note        text not null default '',
    confirmed   integer not null default 0,
    changed     integer not null default 0,
    revoked     integer not null default 0,
    -- The evidence: [{account, address, decision, remark, request}, ...] as whoever finished it said then.
    decisions   jsonb not null default '[]',
    constraint reviews_finished_check check ((finished_at is null) = (finished_by is null)),
    constraint reviews_answered_check check (jsonb_array_length(decisions) = confirmed + changed + revoked)
);
create unique index reviews_open on reviews (unit_id) where finished_at is null;
create index reviews_unit on reviews (unit_id, finished_at);
create index reviews_due on reviews (due_on) where finished_at is null;
comment on table reviews is 'Reviews of units'' mailboxes: one open for each unit, and what was decided in the others.';

grant select, insert, update on reviews to congthu_server;
grant usage on all sequences in schema public to congthu_server;
