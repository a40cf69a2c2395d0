-- Which messages of a mailbox were stopped last, so that one which a mail program sends again counts once (docs/adr/0020-sending-limits.md).

alter table sending_counts add stopped bigint[] not null default '{}';
comment on column sending_counts.stopped is 'Digests (blake3, 8 octets) of the last messages that were stopped for what they hold, 100 at most.';
