-- Mail that goes on by itself to another system (chuyển thư tự động): by whose forwarding, and which address was written to. Whoever
-- sends it can claim any original recipient, so that cannot be read out of ORCPT (RFC 3461 4.2). What the release before put into the
-- queue has neither: its sender is told of it by where it went.

alter table queue_recipients add column passed_on_by bigint;
alter table queue_recipients add column written_to text;
comment on column queue_recipients.passed_on_by is 'The mailbox whose forwarding leads there; null: the address was itself written to.';
comment on column queue_recipients.written_to is 'Our address that was written to instead, as its sender is told of it.';
