-- Certificates that are ordered from an authority (ACME, RFC 8555), for all nodes.
--
-- An order is a row from before the authority hears of it until after its certificate is gone, so that a process that dies leaves
-- what another goes on with. Secrets are here only while they may be used. Nobody but the server reads the tables; a backup has the
-- secrets, as it has the mail.

create table acme_accounts (
    -- URL at which the authority begins.
    directory   text not null constraint acme_accounts_pkey primary key,
    -- What opens the account again; its private key is in it.
    credentials bytea not null,
    made_at     timestamptz not null
);
comment on table acme_accounts is 'Accounts at authorities: one of each authority that was ever asked.';

create table acme_orders (
    order_id   bigint generated always as identity constraint acme_orders_pkey primary key,
    -- Which of our certificates it is for: main, or a domain.
    label      text not null,
    directory  text not null,
    -- Host names; the first is the one that it is known by.
    names      text[] not null constraint acme_orders_names_check check (cardinality(names) between 1 and 100),
    -- open: something is to be done; failed: nothing came of it; done: the certificate is the newest of its label;
    -- replaced: there was a newer one.
    state      text not null constraint acme_orders_state_check check (state in ('open', 'failed', 'done', 'replaced')),
    started_at timestamptz not null,
    -- An administrator wanted it.
    asked      boolean not null default false,
    -- By the database's clock: whoever takes it has until then, and nobody looks at it before.
    look_at    timestamptz not null default clock_timestamp(),
    -- Times that it was taken; who holds an older number has lost it.
    turn       integer not null default 0,
    -- Turns without an answer, one after the other.
    troubles   integer not null default 0,
    -- The certificate's key, PKCS #8.
    secret     bytea,
    -- As the authority knows it, once it does.
    url        text,
    -- What last went wrong.
    fault      text,
    ended_at   timestamptz,
    -- PEM, the certificate first.
    chain      text,
    begins     timestamptz,
    ends       timestamptz,
    constraint acme_orders_ended_check check ((ended_at is null) = (state = 'open')),
    constraint acme_orders_secret_check check (case state when 'open' then true when 'done' then secret is not null
                                                          else secret is null end),
    constraint acme_orders_done_check check (state not in ('done', 'replaced') or (chain is not null and begins is not null and ends is not null))
);
comment on table acme_orders is 'Orders of certificates and what came of them; a few rows a year for each certificate.';
create unique index acme_orders_open on acme_orders (label) where state = 'open';
create unique index acme_orders_done on acme_orders (label) where state = 'done';
create index acme_orders_label on acme_orders (label, order_id);

create table acme_answers (
    order_id          bigint not null constraint acme_answers_order_fkey references acme_orders on delete cascade,
    name              text not null,
    token             text not null,
    -- What the authority wants to see: no secret.
    key_authorization text not null,
    constraint acme_answers_pkey primary key (order_id, token)
);
comment on table acme_answers is 'What every node answers an authority that looks whether a name is ours; gone when its order ends.';

grant select, insert, update, delete on acme_accounts, acme_orders, acme_answers to congthu_server;
grant usage on all sequences in schema public to congthu_server;
