-- What users say of mail by moving it into their folder for unwanted mail or out of it, and what they send to the address for suspicious
-- mail (requirements D6, D7): until the filter for spam has learned it. A move waits for nobody, so it leaves a row in its own transaction.
--
-- A row names a message and never keeps one: what its owner deletes goes as it would without, and is then not learned.

create table lessons (
    -- The mailbox that it was moved in or to, or that of who wrote to the address for suspicious mail.
    account_id bigint not null constraint lessons_account_fkey references accounts,
    content_id bigint not null,
    -- 0: the message itself; else the octets of a message that is attached to it.
    part_start bigint not null default 0,
    part_end   bigint,
    is_spam    boolean not null,
    noted_at   timestamptz not null,
    attempts   integer not null default 0,
    -- When it is tried; null: it is over. What is over is kept for a day, as what a mailbox says in a day is counted.
    next_at    timestamptz,
    constraint lessons_pkey primary key (account_id, content_id, part_start),
    constraint lessons_part_check check ((part_start = 0) = (part_end is null))
);
create index lessons_due on lessons (next_at) where next_at is not null;
create index lessons_noted on lessons (noted_at);
comment on table lessons is 'What the filter for spam is to learn from what users moved or reported; never what a message says.';

create table spam_cursors (
    mailbox_id   bigint constraint spam_cursors_pkey primary key
                 constraint spam_cursors_mailbox_fkey references accounts,
    uid_validity bigint not null,
    -- Everything up to this uid of INBOX was looked at; moved on in the transaction that notes what was attached.
    uid          bigint not null
);
comment on table spam_cursors is 'How far the INBOX of each mailbox for suspicious mail was read.';

grant select, insert, update, delete on lessons to congthu_server;
grant select, insert, update on spam_cursors to congthu_server;
