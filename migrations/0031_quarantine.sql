-- Quarantine (cách ly): mail that was taken and lies in no folder until somebody has looked at it, or its term is over. And what readers
-- say of senders: whose mail they want whatever the filter says of it, and whose they do not.
--
-- What is kept apart is a delivery that waits (pending_deliveries.held_id), one for each mailbox: so the release before neither hands it
-- out nor sweeps its content away. Its numbers are of one series with those of held_messages, as held_id names either.

create table quarantined (
    held_id    bigint not null default nextval('held_messages_held_id_seq') constraint quarantined_pkey primary key,
    account_id bigint not null constraint quarantined_account_fkey references accounts,
    -- The address that was written to.
    recipient  text not null,
    -- Of the envelope; empty: null.
    sender     text not null,
    -- The one address of From, in lower case; null: there is none, or several.
    author     text,
    subject    text not null,
    size       bigint not null,
    reason     text not null constraint quarantined_reason_check
               check (reason in ('spam', 'suspect', 'dmarc', 'own_domain', 'spf', 'unclear_author')),
    -- As the events have them, for those of what becomes of it.
    trace      text not null,
    about      text,
    held_at    timestamptz not null,
    -- Its mailbox had a letter about it.
    is_told    boolean not null default false
);
create index quarantined_account on quarantined (account_id, held_id);
create index quarantined_held_at on quarantined (held_at);
create index quarantined_untold on quarantined (account_id) where not is_told;
comment on table quarantined is 'Mail that is kept apart (cách ly), by mailbox; gone once it was released, deleted or its term is over.';

create table listed_senders (
    account_id bigint not null constraint listed_senders_account_fkey references accounts,
    -- In lower case.
    sender     text not null constraint listed_senders_sender_check check (length(sender) between 3 and 320),
    listed     text not null constraint listed_senders_listed_check check (listed in ('allowed', 'blocked')),
    listed_by  text not null,
    listed_at  timestamptz not null,
    constraint listed_senders_pkey primary key (account_id, sender)
);
comment on table listed_senders is 'Whose mail a mailbox wants whatever the filter says of it, and whose it does not.';

-- Spam that somebody here sends to others is kept back in the queue.
alter table queue_deliveries drop constraint queue_deliveries_held_by_check;
alter table queue_deliveries add constraint queue_deliveries_held_by_check check (held_by in ('operator', 'lock', 'filter'));
comment on column queue_deliveries.held_by is 'Who keeps it back: an administrator, the lock of its sender''s mailbox, or the filter for spam.';

grant select, insert, update, delete on quarantined to congthu_server;
grant select, insert, delete on listed_senders to congthu_server;
grant update (listed, listed_by, listed_at) on listed_senders to congthu_server;
