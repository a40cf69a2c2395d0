-- Nodes with names of their own want certificates of their own: there is one for each set of names, and none takes the place of one
-- that another node wants. A node of the release before orders nothing on this schema until it is renewed; its certificates stay.

alter table acme_orders add wanted_at timestamptz not null default now();
comment on column acme_orders.wanted_at is 'By the database''s clock: when a node last wanted the certificate that is in use, within an hour.';

-- In the order of their octets, so that one set is one value.
update acme_orders set names = (select array_agg(distinct name collate "C" order by name collate "C") from unnest(names) name);
comment on column acme_orders.names is 'Host names, in the order of their octets.';

drop index acme_orders_open, acme_orders_done;
-- By a hash: a hundred names are more than an index holds.
create unique index acme_orders_open on acme_orders (label, directory, hash_array_extended(names, 0)) where state = 'open';
create unique index acme_orders_done on acme_orders (label, directory, hash_array_extended(names, 0)) where state = 'done';
