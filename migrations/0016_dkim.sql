-- The keys by which a domain's mail is signed (DKIM).
--
-- A secret is here only while it may be used: what is retired keeps its public half, so that an operator sees which record he may take
-- out of the domain name system. Nobody but the server reads the table; a backup has the secrets, as it has the mail.

create table dkim_keys (
    domain_id  bigint not null constraint dkim_keys_domain_fkey references domains on delete cascade,
    selector   text not null constraint dkim_keys_selector_check check (selector ~ '^[a-z0-9-]{1,60}$'),
    algorithm  text not null constraint dkim_keys_algorithm_check check (algorithm in ('rsa-sha256', 'ed25519-sha256')),
    -- PKCS #8.
    secret     bytea,
    -- As `p=` of its record has it.
    public     text not null,
    state      text not null constraint dkim_keys_state_check check (state in ('waiting', 'signing', 'retired')),
    changed_at timestamptz not null,
    constraint dkim_keys_pkey primary key (domain_id, selector),
    constraint dkim_keys_secret_check check ((secret is null) = (state = 'retired'))
);
comment on table dkim_keys is 'Keys that sign the mail of domains; a few rows for each, found by the domain.';

grant select, insert, update on dkim_keys to congthu_server;
