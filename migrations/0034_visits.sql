-- From which countries each mailbox was logged in to, and when somebody was last told of one: for log-ins from where it is not used
-- (docs/adr/0026-countries-of-log-ins.md). And until when a mailbox may send less, as something else than its sending was strange.

create table login_countries (
    account_id bigint not null constraint login_countries_account_fkey references accounts on delete cascade,
    -- ISO 3166-1.
    country    text not null constraint login_countries_country_check check (country ~ '^[A-Z][A-Z]$'),
    -- Let in, noted twice a day at most; null: it never was.
    last_at    timestamptz,
    -- Its owner was told; null: never.
    told_at    timestamptz,
    constraint login_countries_pkey primary key (account_id, country)
);
-- What is old is forgotten, but for where a mailbox was seen last.
create index login_countries_last on login_countries (coalesce(last_at, told_at));
comment on table login_countries is 'Countries that mailboxes were logged in to from; of places nothing closer is kept here.';

grant select, insert, update, delete on login_countries to congthu_server;

alter table sending_counts add suspect_until timestamptz;
comment on column sending_counts.suspect_until is 'Until then the mailbox may send less than its class.';
