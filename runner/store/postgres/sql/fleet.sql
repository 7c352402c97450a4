-- The daemons. One lives as long as it holds the advisory lock (1651471474, its number) in its control session.

-- name: wait_at_the_door
-- While somebody changes the schema nobody joins.
SELECT set_config('lock_timeout', '60s', true), set_config('statement_timeout', '60s', true);

-- name: enter_door
SELECT pg_advisory_xact_lock_shared(1651471474, 0);

-- name: join
-- The row is seen by others from the commit on, and the lock is held by then: nobody buries a newborn. Where the
-- schema is one that we must not use, there is no row.
WITH me AS (
    INSERT INTO daemons (name, version, schema, started_ms, seen_ms)
    SELECT $1, $2, $3, clock.now_ms, clock.now_ms
    FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock
    WHERE NOT EXISTS (SELECT 1 FROM schema_steps WHERE oldest > $3)
    RETURNING id
)
SELECT id, pg_advisory_lock(1651471474, id) FROM me;

-- name: forget_daemons
DELETE FROM daemons WHERE ended_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 604800000;

-- name: lock_daemon
SELECT pg_try_advisory_lock(1651471474, $1);

-- name: unlock_daemon
SELECT pg_advisory_unlock(1651471474, $1);

-- name: end_old_control
-- Our own of before, which the server has not missed yet.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND application_name = $2 AND datname = current_database();

-- name: name_session
SELECT set_config('application_name', $1, false);

-- name: daemon_stands
-- Waits for a burial under way; one that begins later sees the session that asks.
SELECT ended_ms IS NULL AND name = $2 AND NOT EXISTS (SELECT 1 FROM schema_steps AS s WHERE s.oldest > daemons.schema)
FROM daemons WHERE id = $1 FOR KEY SHARE;

-- name: beat
-- Not worth waiting for the disk: the next one comes in a second.
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS done)
UPDATE daemons SET seen_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM quick
WHERE id = $1 AND ended_ms IS NULL
RETURNING seen_ms;

-- name: report_facts
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS done)
UPDATE daemons SET facts = $2 FROM quick WHERE id = $1;

-- name: leave
UPDATE daemons SET left_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE id = $1;

-- name: daemons
SELECT id, name, version, schema, started_ms, seen_ms, facts, coalesce(ended_ms, left_ms)
FROM daemons
WHERE ended_ms IS NULL OR ended_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 3600000
ORDER BY id;

-- name: tell
-- A hint need not be on the disk, and whoever tells holds all others up until it is.
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS done)
SELECT pg_notify('botrunner', told.payload) FROM quick, unnest($1::text[]) AS told (payload);

-- name: gone
-- Daemons whose lock is free, for the time of this statement, of the next $4 by number: in a large fleet each has its
-- neighbours to look after. $2: we have been here for long enough to believe it; else only of those that said that they
-- leave, or have been silent for $3 ms while the server was up.
SELECT next.id
FROM (
    (SELECT * FROM daemons WHERE ended_ms IS NULL AND id > $1 ORDER BY id LIMIT $4)
    UNION ALL
    (SELECT * FROM daemons WHERE ended_ms IS NULL AND id < $1 ORDER BY id LIMIT $4)
    LIMIT $4
) AS next
WHERE (
    $2 OR next.left_ms IS NOT NULL
    OR (
        next.seen_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $3
        AND clock_timestamp() - pg_postmaster_start_time() > interval '3 s'
    )
) AND pg_try_advisory_xact_lock(1651471474, next.id);

-- name: daemons_to_bury
-- Who is being buried by another just now, or says something, is left out.
SELECT id FROM daemons WHERE id = ANY($1::integer[]) AND ended_ms IS NULL ORDER BY id FOR UPDATE SKIP LOCKED;

-- name: surely_gone
-- None of its sessions is left, and none comes back while we hold its lock and its row.
SELECT dead.id FROM unnest($1::integer[]) AS dead (id)
WHERE pg_try_advisory_xact_lock(1651471474, dead.id) AND NOT EXISTS (
    SELECT 1 FROM pg_stat_activity AS session
    WHERE session.application_name = 'botrunner/' || dead.id AND session.datname = current_database()
);

-- name: end_lost_sends
-- $2: what no daemon that lives began, too.
WITH left_over AS (
    SELECT id FROM outbox
    WHERE state = 'sending' AND (
        daemon = ANY($1::integer[])
        OR ($2 AND NOT EXISTS (SELECT 1 FROM daemons AS d WHERE d.id = outbox.daemon AND d.ended_ms IS NULL))
    )
    ORDER BY id
    FOR UPDATE
)
UPDATE outbox SET
    state = CASE WHEN crashes >= $3 - 1 THEN 'unknown' ELSE 'pending' END,
    why = CASE WHEN crashes >= $3 - 1 THEN $5 ELSE $4 END,
    crashes = crashes + 1, due_ms = 0, daemon = NULL
FROM left_over
WHERE outbox.id = left_over.id
RETURNING outbox.state;

-- name: left_held
-- But for the lines of open batches: their fate can still be learned.
SELECT id FROM ledger
WHERE state = 'held' AND (
    daemon = ANY($1::integer[])
    OR ($2 AND NOT EXISTS (SELECT 1 FROM daemons AS d WHERE d.id = ledger.daemon AND d.ended_ms IS NULL))
) AND NOT (
    feature = 'batch'
    AND turn IN (SELECT id FROM batches WHERE state IN ('held', 'submitting', 'running', 'ended'))
)
ORDER BY seq;

-- name: orphan_holds
-- What stays held is nobody's from now on.
UPDATE ledger SET daemon = NULL WHERE state = 'held' AND daemon = ANY($1::integer[]);

-- name: void_leases
UPDATE leases SET holder = '', until_ms = 0 WHERE holder = ANY($1::text[]);

-- name: end_daemons
UPDATE daemons SET ended_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE id = ANY($1::integer[]);
