-- What came in the names of domains that want to be told (DMARC aggregate reports, RFC 7489 7.2): counted by day, told once, forgotten.
--
-- Statistics: they are gathered in the memory of each node and written every half minute, without waiting for the disk. Both tables
-- are bounded by the program: so many domains a day, so many rows of a domain.

create table dmarc_days (
    -- In UTC.
    day       date not null,
    -- Where the record stands.
    domain    text not null constraint dmarc_days_domain_check check (length(domain) between 1 and 255),
    -- The record as it last was on this day.
    published jsonb not null,
    -- Those of dmarc_counts; raised under this row's lock.
    rows      integer not null default 0,
    tries     smallint not null default 0,
    -- When it was over: told, or nobody is to be told, or nobody could be. Set once, in the transaction that queues the report.
    ended_at  timestamptz,
    outcome   text constraint dmarc_days_outcome_check check (outcome in ('sent', 'nobody', 'unknown')),
    constraint dmarc_days_pkey primary key (day, domain),
    constraint dmarc_days_ended_check check ((ended_at is null) = (outcome is null))
);
comment on table dmarc_days is 'A day of a domain that wants to hear what came in its name.';
create index dmarc_days_open on dmarc_days (tries, day, domain) where ended_at is null;

create table dmarc_counts (
    day          date not null,
    domain       text not null,
    -- BLAKE3 of all that follows but the number.
    key          bytea not null constraint dmarc_counts_key_check check (length(key) = 32),
    source       text not null,
    header_from  text not null,
    -- Empty: the null reverse-path.
    envelope_from text not null,
    spf          text not null,
    spf_domain   text not null,
    spf_aligned  boolean not null,
    -- [[domain, selector, result], ...]
    dkim         jsonb not null,
    dkim_aligned boolean not null,
    disposition  text not null constraint dmarc_counts_disposition_check check (disposition in ('none', 'quarantine', 'reject')),
    reason       text,
    messages     bigint not null constraint dmarc_counts_messages_check check (messages > 0),
    constraint dmarc_counts_pkey primary key (day, domain, key),
    constraint dmarc_counts_day_fkey foreign key (day, domain) references dmarc_days on delete cascade
);
comment on table dmarc_counts is 'Messages of a day that were alike in all that a report says of them.';

grant select, insert, update, delete on dmarc_days, dmarc_counts to congthu_server;
