-- Mail that is forwarded to the outside goes under a return path of ours (SRS).

create table return_path_secret (
    is_only boolean constraint return_path_secret_pkey primary key default true constraint return_path_secret_check check (is_only),
    secret  bytea not null constraint return_path_secret_length_check check (length(secret) = 32)
);
comment on table return_path_secret is 'One row: what return paths of forwarded mail are sealed with, the same on every node.';

alter table queue_messages add column sent_as text;
comment on column queue_messages.sent_as is 'The return path that other systems are told; null: the sender.';

grant select, insert on return_path_secret to congthu_server;
