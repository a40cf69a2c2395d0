-- Return paths of forwarded mail: how often mail came back by each, and whose those are that name their sender by a token.

create table return_path_uses (
    -- In small letters, as the seal reads it.
    path  text constraint return_path_uses_pkey primary key,
    since timestamptz not null,
    uses  integer not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index return_path_uses_since on return_path_uses (since);
comment on table return_path_uses is 'How often mail came back by a return path within a day; a row that is over says nothing.';

create table return_path_senders (
    token   text constraint return_path_senders_pkey primary key,
    -- As he spells himself.
    sender  text not null,
    made_at timestamptz not null
);
create index return_path_senders_made on return_path_senders (made_at);
comment on table return_path_senders is 'Senders whose return path would be longer than every host takes, by what stands for them in it.';

grant select, insert, update, delete on return_path_uses, return_path_senders to congthu_server;
