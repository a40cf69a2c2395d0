-- Search: the text of each content as it is compared, and what an index knows of it.
--
-- Filled behind the 250 by a job, in transactions of its own; a content that is not here yet is searched in its octets.
-- Why words have numbers and a list, and not a tsvector: docs/adr/0013-search-index.md. Everything here can be thrown
-- away and is made again.

create table search_state (
    singleton boolean constraint search_state_pkey primary key default true
              constraint search_state_singleton_check check (singleton),
    -- Every content up to this number that exists has its row in search_contents, by this analyser.
    indexed_up_to bigint not null default 0,
    analyser smallint not null default 0,
    -- Rows made before this moment are to be made again (a rebuild under way).
    rebuild_before timestamptz not null default '1970-01-01Z',
    -- Which node indexes, and until when others leave it to that.
    worker bigint not null default 0,
    worker_until timestamptz not null default '1970-01-01Z'
);
insert into search_state default values;
comment on table search_state is 'One row: how far the search index has come.';

create table search_contents (
    content_id bigint constraint search_contents_pkey primary key
               constraint search_contents_content_fkey references contents on delete cascade,
    -- False: it could not be analysed, so whoever searches reads the message itself.
    complete   boolean not null,
    analyser   smallint not null,
    indexed_at timestamptz not null,
    -- Subject, From, To, Cc, Bcc, Message-ID, a line each.
    facts      text not null
);
create index search_contents_incomplete on search_contents (content_id) where not complete;
comment on table search_contents is 'Contents the search index knows, with the fields that have search keys of their own.';

create table search_texts (
    content_id  bigint not null
                constraint search_texts_content_fkey references search_contents on delete cascade,
    piece       integer not null,
    header      text not null,
    body        text not null,
    -- Positive: a row of search_words. Negative: a group of three letters of a code, or a mark (store::search).
    header_keys integer[] not null,
    body_keys   integer[] not null,
    constraint search_texts_pkey primary key (content_id, piece)
);
alter table search_texts alter column header set compression lz4, alter column body set compression lz4;
-- With a pending list: a row has some 250 keys, and to put each in its place at once takes six times as long. A search
-- reads the list, 4 MB in a millisecond.
create index search_texts_keys on search_texts using gin (header_keys, body_keys) with (gin_pending_list_limit = 4096);
comment on table search_texts is 'Texts of contents as they are compared, in pieces that overlap, with their keys.';

create table search_words (
    word_id integer generated always as identity constraint search_words_pkey primary key,
    word    text collate "C" not null constraint search_words_word_key unique
);
comment on table search_words is 'The natural words of all mail, for those that contain what is searched for.';

grant select, insert, update, delete on search_contents, search_texts, search_words to congthu_server;
grant select, update on search_state to congthu_server;
grant usage on all sequences in schema public to congthu_server;
