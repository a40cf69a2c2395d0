-- Who brings mail (docs/adr/0024-who-brings-mail.md): what its connection showed is a reason to keep it apart.

alter table quarantined drop constraint quarantined_reason_check;
alter table quarantined add constraint quarantined_reason_check
    check (reason in ('spam', 'suspect', 'dmarc', 'own_domain', 'spf', 'unclear_author', 'helo', 'listed'));
