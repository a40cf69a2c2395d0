-- What each domain's administrator has decided, what runs at its times, and which system mail was sent.

create table policies (
    domain_id  bigint not null constraint policies_domain_fkey references domains on delete cascade,
    -- From 1, without gaps.
    version    integer not null constraint policies_version_check check (version > 0),
    since      timestamptz not null,
    made_by    text not null,
    reason     text not null,
    policy     jsonb not null,
    constraint policies_pkey primary key (domain_id, version)
);
comment on table policies is 'Every version of every domain''s policy (chính sách); the highest one holds. Never edited.';

create table jobs (
    name        text constraint jobs_pkey primary key,
    -- When it is to run next; a node that takes it moves this on.
    next_run    timestamptz not null,
    -- Until when the node that runs it has it for itself: longer than any run, or it died.
    taken_until timestamptz,
    -- Which run: who was given up may not end a later one.
    run         bigint not null default 0,
    started_at  timestamptz,
    ended_at    timestamptz,
    -- What it did, or why it failed.
    result      text,
    failed      boolean not null default false,
    -- An administrator keeps it from running by itself.
    paused      boolean not null default false
);
comment on table jobs is 'What runs at its times, on one node at a time, with its last run and its next.';

create table notices (
    key        text constraint notices_pkey primary key,
    account_id bigint not null constraint notices_account_fkey references accounts on delete cascade,
    sent_at    timestamptz not null
);
create index notices_sent on notices (sent_at);
comment on table notices is 'System mail (thư hệ thống) that was put into a mailbox, so that none comes twice.';

create table owed_notices (
    key        text constraint owed_notices_pkey primary key,
    account_id bigint not null constraint owed_notices_account_fkey references accounts on delete cascade,
    subject    text not null,
    text       text not null,
    owed_at    timestamptz not null
);
comment on table owed_notices is 'System mail that an act owes, from its transaction on until it was put into the mailbox.';

grant select, insert on policies to congthu_server;
grant select, insert, update on jobs to congthu_server;
grant select, insert, delete on notices, owed_notices to congthu_server;
