-- What other systems tell of mail in the names of our domains (DMARC aggregate reports, RFC 7489 7.2), so that an operator sees who sends
-- as us. The mails themselves stay in the mailbox that they came to.

create table dmarc_cursors (
    mailbox_id   bigint constraint dmarc_cursors_pkey primary key
                 constraint dmarc_cursors_mailbox_fkey references accounts on delete cascade,
    uid_validity bigint not null,
    -- Everything up to this uid of INBOX was looked at; moved on in the transaction that keeps what a report says.
    uid          bigint not null
);
comment on table dmarc_cursors is 'How far the INBOX of each mailbox for DMARC reports was read.';

create table dmarc_reports (
    report_id   bigint generated always as identity constraint dmarc_reports_pkey primary key,
    domain_id   bigint not null constraint dmarc_reports_domain_fkey references domains on delete cascade,
    -- Who tells it, and his number of it: what comes twice is kept once.
    org         text not null constraint dmarc_reports_org_check check (length(org) between 1 and 300),
    number      text not null constraint dmarc_reports_number_check check (length(number) between 1 and 300),
    -- Where the record stands: the domain or a name below it.
    of          text not null,
    begins_at   timestamptz not null,
    ends_at     timestamptz not null,
    received_at timestamptz not null,
    constraint dmarc_reports_key unique (domain_id, org, number)
);
comment on table dmarc_reports is 'Reports of others about mail in the names of our domains.';
create index dmarc_reports_received on dmarc_reports (received_at);
create index dmarc_reports_ended on dmarc_reports (domain_id, ends_at);

create table dmarc_report_rows (
    report_id    bigint not null constraint dmarc_report_rows_report_fkey references dmarc_reports on delete cascade,
    ordinal      integer not null,
    source       text not null,
    messages     bigint not null,
    disposition  text not null,
    dkim_aligned boolean not null,
    spf_aligned  boolean not null,
    header_from  text not null,
    constraint dmarc_report_rows_pkey primary key (report_id, ordinal)
);
comment on table dmarc_report_rows is 'Lines of these reports.';

grant select, insert, update, delete on dmarc_cursors, dmarc_reports, dmarc_report_rows to congthu_server;
grant usage on all sequences in schema public to congthu_server;
