-- A unit that took over another has that one's mailboxes besides its own: which of two organisation mailboxes is the unit's own
-- address was told by age alone, so a merger gave it the address of the one that ended.

-- When the mailbox came to its unit from one that ended (sáp nhập, chia tách); null: it was made there.
alter table accounts add column moved_in_at timestamptz;
