-- Greylisting looks only at whom those have written to that a message is for (docs/adr/0024-who-brings-mail.md): by the primary key. The
-- index over everybody's is read by nothing any more. A node of the release before runs without it, and is slower at that one question.

drop index correspondents_address;
