-- Incidents that are known of before they begin are told of when they do.

alter table announcements add column mail_at timestamptz;
comment on column announcements.mail_at is 'When everybody is to be told; null: everybody was.';
create index announcements_mail on announcements (mail_at) where mail_at is not null;
grant update (mail_at) on announcements to congthu_server;
