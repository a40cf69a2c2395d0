-- What the filter for spam learned is counted by who said it, wherever it lay (requirements D6, D7), and kept for 30 days with what came
-- of it: one person, or whoever has his password, reaches the mailboxes of several offices.

alter table lessons
    -- The mailbox of who acted himself; null: it was noted before this was known. No reference: it outlives him.
    add actor_id bigint,
    -- What came of it when it was tried last, as congthu_lessons_total has it; null: it was not.
    add result text,
    -- By which congthu trace finds the message, also when it is deleted.
    add message_id text;
create index lessons_actor on lessons (actor_id, noted_at);
-- What was said last of a message holds, in whichever mailbox it was said.
create index lessons_content on lessons (content_id);
comment on column lessons.actor_id is 'Who said it: his own mailbox, also where he said it in another.';
comment on column lessons.next_at is 'When it is tried; null: it is over. What is over is kept for 30 days, and counted for one.';
