-- Cases (yêu cầu hỗ trợ, E6): what was written to the support address, and what became of it.
--
-- Not rows of `requests`: a request is an organisation's, of one of seven kinds, with a paper and a term of working days, and what is
-- settled stays so. Whoever writes to support may be a stranger, says no kind, and opens a closed case again by writing once more.
-- A case that turns out to be a request names the one that was made of it.
--
-- What the mails say is kept nowhere here: a message is named by its number in the support mailbox, and may be deleted there.

create table support_cursors (
    mailbox_id   bigint constraint support_cursors_pkey primary key
                 constraint support_cursors_mailbox_fkey references accounts,
    uid_validity bigint not null,
    -- Everything up to this uid of INBOX was looked at; moved on in the transaction that makes the case or reply of it.
    uid          bigint not null
);
comment on table support_cursors is 'How far the INBOX of each support mailbox was read for cases.';

create table cases (
    case_id     bigint generated always as identity constraint cases_pkey primary key,
    domain_id   bigint not null constraint cases_domain_fkey references domains,
    -- The mailbox that the support address belongs to.
    mailbox_id  bigint not null constraint cases_mailbox_fkey references accounts,
    -- The address it came from, in small letters.
    sender      text not null,
    -- Of whoever logged in to write it, with his unit of then; null: somebody from outside, or who says he is somebody.
    account_id  bigint constraint cases_account_fkey references accounts,
    unit_id     bigint constraint cases_unit_fkey references units,
    subject     text not null,
    state       text not null constraint cases_state_check check (state in ('new', 'in-work', 'answered', 'closed')),
    assignee    text,
    request_id  bigint constraint cases_request_fkey references requests,
    opened_at   timestamptz not null,
    changed_at  timestamptz not null,
    -- Message-ID of the acknowledgement; null: none is sent.
    receipt     text,
    receipt_sent_at timestamptz
);
create index cases_domain on cases (domain_id, case_id);
create index cases_sender on cases (mailbox_id, sender, opened_at);
create index cases_outside on cases (mailbox_id, opened_at) where account_id is null;
create index cases_unreceipted on cases (case_id) where receipt is not null and receipt_sent_at is null;
comment on table cases is 'Trouble reported to the support address (yêu cầu hỗ trợ).';

create table case_messages (
    -- In the order they came: what comes in one moment has one time.
    case_message_id bigint generated always as identity constraint case_messages_pkey primary key,
    case_id    bigint not null constraint case_messages_case_fkey references cases,
    mailbox_id bigint not null constraint case_messages_mailbox_fkey references accounts,
    is_answer  boolean not null,
    -- In the support mailbox, and by what it is found there (`entries_content`); null: it is not kept there.
    email_id   bigint,
    content_id bigint,
    message_id text,
    -- The address it came from; of an answer, who gave it.
    author     text not null,
    -- Who wrote it had not logged in: the address is what he says.
    is_outside boolean not null,
    at         timestamptz not null
);
create unique index case_messages_email on case_messages (mailbox_id, email_id) where email_id is not null;
create index case_messages_id on case_messages (mailbox_id, message_id) where message_id is not null;
create index case_messages_case on case_messages (case_id, case_message_id);
create index case_messages_author on case_messages (mailbox_id, author, at) where not is_answer;
comment on table case_messages is 'The mails of a case by their numbers, never what they say.';

create table case_events (
    case_event_id bigint generated always as identity constraint case_events_pkey primary key,
    case_id bigint not null constraint case_events_case_fkey references cases,
    at      timestamptz not null,
    actor   text not null,
    act     text not null,
    note    text not null
);
create index case_events_case on case_events (case_id, case_event_id);
comment on table case_events is 'What was done about a case, in order.';

grant select, insert, update on support_cursors, cases to congthu_server;
grant select, insert on case_messages, case_events to congthu_server;
grant usage on all sequences in schema public to congthu_server;
