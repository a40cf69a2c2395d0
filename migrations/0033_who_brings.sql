-- Who brings mail (docs/adr/0024-who-brings-mail.md): what its connection showed is a reason to keep it apart, and senders who are here
-- for the first time may be told to come again (greylisting).

alter table quarantined drop constraint quarantined_reason_check;
alter table quarantined add constraint quarantined_reason_check
    check (reason in ('spam', 'suspect', 'dmarc', 'own_domain', 'spf', 'unclear_author', 'helo', 'listed'));

-- First contacts. A place is a hash of 22 bits, so there are never more than four million rows, whoever fills them: two that fall together
-- are taken for one, and the second is let through at once. An even place is of a network, a sender's domain and a recipient; an odd one
-- of a network and a sender's domain that came back as it was told to. Nobody can be named by it.
create table first_contacts (
    place    integer constraint first_contacts_pkey primary key
             constraint first_contacts_place_check check (place between 0 and 4194303),
    first_at timestamptz not null,
    -- Then it says nothing any more.
    until    timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
comment on table first_contacts is 'Who tried to send mail here for the first time, and who came back, by hashes.';

-- Somebody here has written to him: whoever it was.
create index correspondents_address on correspondents (address_key);

grant select, insert, update, delete on first_contacts to congthu_server;
