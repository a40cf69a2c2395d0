-- A mailbox is exported (kết xuất lưu trữ) before it is deleted (AG Đ8.3, B7): which archives were written of it, and since when it is out
-- of use, as one that was written before may lack what its owner has done since.

create table exports (
    export_id  bigint generated always as identity constraint exports_pkey primary key,
    account_id bigint not null constraint exports_account_fkey references accounts,
    -- The moment it shows.
    at         timestamptz not null,
    -- The mailbox's modification sequence at that moment: what came later has a higher one.
    modseq     bigint not null,
    made_by    text not null,
    messages   bigint not null constraint exports_messages_check check (messages >= 0),
    -- Of the archive, and its digest.
    octets     bigint not null,
    sha256     bytea not null constraint exports_sha256_check check (length(sha256) = 32),
    -- Without directories.
    file_name  text not null
);
create index exports_account on exports (account_id, at);
comment on table exports is 'Archives written of mailboxes, who has them and how to know them again; never content. Kept when the mailbox is gone.';

grant select, insert on exports to congthu_server;
grant usage on all sequences in schema public to congthu_server;

alter table accounts
    -- When it was last taken out of use: locked, or listed without a lock; null: before this was kept, or never.
    add column out_of_use_since timestamptz,
    -- That it goes without an archive was said with the confirmation of this moment.
    add column export_waived_at timestamptz;
comment on column accounts.export_pending is 'No longer looked at: table exports says what was exported.';
