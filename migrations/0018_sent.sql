-- What was handed over, said of many deliveries in one statement (docs/adr/0019-the-queue.md): nearly all that the queue ever says.
--
-- A function, as each of its statements sees what was committed before that statement began: of two who end the last deliveries of a
-- message one sees what the other has done, since the message's row is locked in between.

-- Those of `p_deliveries` that were under their lease and now have ended. Nobody is waited for: of what somebody else has locked the lease
-- the message or the delivery, nothing is said here. Recipients of the n-th delivery are those from p_firsts[n] to p_lasts[n].
create function report_sent(
    p_leases bigint[], p_deliveries bigint[], p_messages bigint[],
    p_at timestamptz[], p_traces text[], p_accounts bigint[], p_remotes text[], p_senders text[], p_statuses text[], p_abouts text[],
    p_recipients text[], p_firsts integer[], p_lasts integer[]
) returns bigint[]
    language plpgsql set plan_cache_mode = force_generic_plan
as $$
declare
    leases   bigint[];
    messages bigint[];
    deliveries bigint[];
    ended    bigint[];
begin
    select array_agg(lease_id) into leases
      from (select l.lease_id from queue_leases l where l.lease_id = any (p_leases) for update skip locked) as locked;
    select array_agg(message_id) into messages
      from (select m.message_id from queue_messages m where m.message_id = any (p_messages) for update skip locked) as locked;
    select array_agg(delivery_id) into deliveries
      from (select d.delivery_id from queue_deliveries d where d.delivery_id = any (p_deliveries)
             order by d.delivery_id for update skip locked) as locked;
    with gone as (
        delete from queue_deliveries d
         using unnest(p_deliveries, p_leases, p_messages) as r (delivery_id, lease_id, message_id)
         where d.delivery_id = any (deliveries) and d.delivery_id = r.delivery_id and d.lease_id = r.lease_id
           and r.lease_id = any (leases) and r.message_id = any (messages)
        returning d.delivery_id
    )
    select coalesce(array_agg(delivery_id), '{}') into ended from gone;
    delete from queue_recipients where delivery_id = any (ended);
    with gone as (
        delete from queue_messages m
         where m.message_id = any (messages)
           and not exists (select from queue_deliveries d where d.message_id = m.message_id)
           and not exists (select from pending_deliveries p where p.message_id = m.message_id)
        returning m.content_id
    )
    insert into sweep_candidates (content_id, noted_at) select content_id, p_at[1] from gone;
    insert into events (at, kind, trace, account_id, remote, sender, status, recipients, about)
        select p_at[n], 'sent', p_traces[n], p_accounts[n], p_remotes[n], p_senders[n], p_statuses[n],
               p_recipients[p_firsts[n] : p_lasts[n]], p_abouts[n]
          from generate_subscripts(p_deliveries, 1) as n where p_deliveries[n] = any (ended);
    return ended;
end $$;
