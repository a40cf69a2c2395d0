-- A notice of leave (thông báo lý do) that was given by mistake, or twice, could not be taken back. Its row stays, so that it can be
-- told later why a mailbox was not locked. The release before still counts such a leave: nobody is locked too early by it.

alter table leaves add column withdrawn_at timestamptz;
alter table leaves add column withdrawn_by text;
alter table leaves add column withdrawn_why text;
comment on column leaves.withdrawn_at is 'When it was taken back; null: it stands.';

grant update (withdrawn_at, withdrawn_by, withdrawn_why) on leaves to congthu_server;
