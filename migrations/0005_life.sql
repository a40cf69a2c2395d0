-- What a mailbox's life needs to be kept: stages, use, leave, passwords of before, warnings, holidays.
--
-- The stage stands in `accounts`, beside the state it belongs to; what changes as people work stands in narrow tables, so
-- that the rows which every RCPT reads stay as they are.

alter table accounts
    -- When the present state began; null: when the mailbox was made.
    add column life_since            timestamptz,
    -- When it was last given back (khôi phục); null: never.
    add column restored_at           timestamptz,
    -- While locked: tạm khóa vì lý do gì.
    add column lock_reason           text,
    -- While on the deletion list: vì sao.
    add column deletion_cause        text,
    -- What the organisation asked for since the lock (đề nghị khôi phục): null, asked or refused, and when.
    add column restore_request       text
        constraint accounts_request_check check (restore_request in ('asked', 'refused')),
    add column restore_request_at    timestamptz,
    add column deletion_confirmed_at timestamptz,
    -- Keeps the mailbox from being deleted, whoever asks, as legal holds and hand-overs do.
    add column export_pending        boolean not null default false,
    -- When the password was set; null: when the mailbox was made.
    add column password_set_at       timestamptz,
    -- Why it has to be changed before anything else, where password_change says so.
    add column change_reason         text,
    -- The end of a one-time password; null: it has none.
    add column one_time_until        timestamptz,
    -- Who gave the mailbox a quota of its own, and why; null: it has what its class has.
    add column quota_by              text,
    add column quota_why             text,
    -- Since when it is so full that nothing more is taken; kept by a job.
    add column full_since            timestamptz;

create table activity (
    account_id      bigint constraint activity_pkey primary key
                    constraint activity_account_fkey references accounts on delete cascade,
    sent_at         timestamptz,
    retrieved_at    timestamptz,
    -- The newest email_id that was retrieved: only what came after it is new mail.
    retrieved_email bigint not null default 0,
    -- The last warning that the mailbox will be locked: how many days before, for which day, and when.
    warned_days     smallint,
    warned_lock_on  date,
    warned_on       date
);
comment on table activity is 'When each mailbox was last used (giao dịch gửi, nhận), to the hour, and the last warning of its lock.';

create table leaves (
    leave_id   bigint generated always as identity constraint leaves_pkey primary key,
    account_id bigint not null constraint leaves_account_fkey references accounts,
    from_day   date not null,
    to_day     date not null constraint leaves_order_check check (to_day >= from_day),
    reason     text not null,
    noted_by   text not null,
    noted_at   timestamptz not null
);
create index leaves_account on leaves (account_id);
comment on table leaves is 'Thông báo lý do: days, both included, in which a mailbox may be unused (An Giang 63/2016 Điều 8.1a).';

create table password_history (
    account_id bigint not null constraint password_history_account_fkey references accounts,
    set_at     timestamptz not null,
    hash       text not null,
    constraint password_history_pkey primary key (account_id, set_at, hash)
);
comment on table password_history is 'Hashes of passwords that were replaced, so that the last ones do not come again.';

create table password_resets (
    reset_id         bigint generated always as identity constraint password_resets_pkey primary key,
    account_id       bigint not null constraint password_resets_account_fkey references accounts,
    at               timestamptz not null,
    made_by          text not null,
    reason           text not null,
    -- The day by whose end the organisation is to confirm in writing; null: the policy does not ask.
    confirmation_due date,
    confirmed_at     timestamptz,
    confirmed_by     text,
    -- Number of the letter, or where it is kept.
    document         text
);
create index password_resets_open on password_resets (confirmation_due) where confirmed_at is null;
comment on table password_resets is 'Cấp lại mật khẩu: who reset whose, why, and the written confirmation (An Giang 63/2016 Điều 11.2a).';

create table quota_warnings (
    account_id bigint constraint quota_warnings_pkey primary key
               constraint quota_warnings_account_fkey references accounts on delete cascade,
    -- The highest threshold, in percent, it was warned about and has not fallen well below since.
    warned     smallint not null
);
comment on table quota_warnings is 'Which warning of a full mailbox was given, so that each comes once.';

create table holidays (
    year       smallint constraint holidays_pkey primary key,
    -- model::calendar::YearTable.
    days       jsonb not null,
    decided_by text not null,
    decided_at timestamptz not null
);
comment on table holidays is 'Years whose working days were decided; others follow the law and what was announced.';

grant select, insert, update, delete on activity, quota_warnings, holidays to congthu_server;
grant select, insert on leaves to congthu_server;
grant select, insert, delete on password_history to congthu_server;
grant select, insert, update (confirmed_at, confirmed_by, document) on password_resets to congthu_server;
grant usage on all sequences in schema public to congthu_server;
