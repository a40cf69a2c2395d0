-- Mail in whose author's name stands an address of ours may be kept apart, too.

alter table quarantined drop constraint quarantined_reason_check;
alter table quarantined add constraint quarantined_reason_check check (reason in
    ('spam', 'suspect', 'dmarc', 'own_domain', 'own_name', 'spf', 'unclear_author', 'helo', 'listed'));
