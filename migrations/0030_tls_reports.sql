-- How TLS came about on the way to the servers of others, for the domains that want to be told (TLSRPT, RFC 8460): counted by day, told
-- once, forgotten.
--
-- Statistics, as those of DMARC (0019): gathered in the memory of each node and written every half minute, without waiting for the disk;
-- both tables are bounded by the program. A domain's policy stands beside each of its rows, as it may change within a day.

create table tls_days (
    -- In UTC.
    day      date not null,
    -- The policy's: what stands behind the @ of a recipient, in ASCII.
    domain   text not null constraint tls_days_domain_check check (length(domain) between 1 and 255),
    -- Those of tls_counts; raised under this row's lock.
    rows     integer not null default 0,
    tries    smallint not null default 0,
    -- Places that have the report already, or whose mail is queued.
    told     text[] not null default '{}',
    -- When it was over: told, or nobody is to be told, or nobody could be. Set once, in the transaction that queues the last mail.
    ended_at timestamptz,
    outcome  text constraint tls_days_outcome_check check (outcome in ('sent', 'nobody', 'unknown')),
    constraint tls_days_pkey primary key (day, domain),
    constraint tls_days_ended_check check ((ended_at is null) = (outcome is null))
);
comment on table tls_days is 'A day of a domain that mail went to, for the report of its TLS.';
create index tls_days_open on tls_days (tries, day, domain) where ended_at is null;

create table tls_counts (
    day          date not null,
    domain       text not null,
    -- BLAKE3 of all that follows but the number.
    key          bytea not null constraint tls_counts_key_check check (length(key) = 32),
    policy_type  text not null constraint tls_counts_policy_type_check check (policy_type in ('tlsa', 'sts', 'no-policy-found')),
    -- {"lines": [...], "hosts": [...]}: as the domain publishes it.
    policy       jsonb not null,
    -- As RFC 8460 4.3 calls it; null: these sessions were as the policy has it, and the columns below say nothing.
    result       text,
    mx           text,
    -- Addresses.
    sending      text,
    receiving    text,
    reason       text,
    sessions     bigint not null constraint tls_counts_sessions_check check (sessions > 0),
    constraint tls_counts_pkey primary key (day, domain, key),
    constraint tls_counts_day_fkey foreign key (day, domain) references tls_days on delete cascade
);
comment on table tls_counts is 'Sessions of a day that were alike in all that a report says of them.';

grant select, insert, update, delete on tls_days, tls_counts to congthu_server;
