-- How many messages of a mailbox were stopped for what they hold: one that goes on is throttled, then locked (An Giang 63/2016 Điều 8.1d;
-- docs/adr/0020-sending-limits.md).

alter table sending_counts
    add malware integer not null default 0,
    add spam integer not null default 0;
comment on column sending_counts.malware is 'Messages of the present day in which malware was found.';
comment on column sending_counts.spam is 'Messages of the present day that the filter held for spam.';
