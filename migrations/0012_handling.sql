-- The handling (xử lý thư, C5) of mail in organisations' mailboxes: who reported, assigned, answered and closed it, and by when.
--
-- A row is of an email of a mailbox, wherever that is moved in it; mail that nobody has done anything about has none, and is new. What the
-- mail says is not kept here, and with the mail its row goes.

create table handlings (
    handling_id bigint generated always as identity constraint handlings_pkey primary key,
    account_id  bigint not null constraint handlings_account_fkey references accounts,
    email_id    bigint not null,
    -- By what its entry is found (`entries_content`).
    content_id  bigint not null,
    state       text not null constraint handlings_state_check check (state in ('reported', 'assigned', 'answered', 'closed')),
    due_on      date not null,
    assignee_id bigint constraint handlings_assignee_fkey references accounts,
    changed_by  text not null,
    changed_at  timestamptz not null,
    constraint handlings_email_key unique (account_id, email_id)
);
create index handlings_due on handlings (due_on) where state in ('reported', 'assigned');
comment on table handlings is 'Where mail of organisations'' mailboxes is in its handling; gone with the mail.';

grant select, insert, update, delete on handlings to congthu_server;
grant usage on all sequences in schema public to congthu_server;
