-- Who follows an organisation's mailboxes for a higher one (AG Đ7.3: Phòng Văn hóa Thông tin), and is told of the requests about it.

create table unit_watchers (
    unit_id    bigint not null constraint unit_watchers_unit_fkey references units,
    account_id bigint not null constraint unit_watchers_account_fkey references accounts,
    constraint unit_watchers_pkey primary key (unit_id, account_id)
);
create index unit_watchers_account on unit_watchers (account_id);
comment on table unit_watchers is 'Who is told of requests about an organisation and those below it, where policy says so (AG Đ7.3).';

grant select, insert, delete on unit_watchers to congthu_server;
