-- name: tables_there
-- Without those that belong to an extension; and whether ours is among them.
SELECT count(*), coalesce(bool_or(t.relname = 'schema_steps'), false)
FROM pg_class AS t
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT 1 FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e'
);

-- name: schema
SELECT coalesce(max(version), 0), coalesce(max(oldest), 0) FROM schema_steps;

-- name: lock_schema
-- For whoever changes the schema; a table that is not free at once is asked for later again.
SELECT pg_try_advisory_xact_lock(1651471474, 0)
FROM (SELECT set_config('lock_timeout', '200ms', true), set_config('statement_timeout', '0', true)) AS settings;

-- name: add_step
INSERT INTO schema_steps (version, name, oldest, applied_ms)
VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);

-- name: daemons_that_know_less
-- Those that are there, or may come back: whose lock is not free, or who have a session.
SELECT name FROM daemons
WHERE ended_ms IS NULL AND left_ms IS NULL AND schema < $1 AND (
    NOT pg_try_advisory_xact_lock(1651471474, id) OR EXISTS (
        SELECT 1 FROM pg_stat_activity AS session
        WHERE session.application_name = 'botrunner/' || id AND session.datname = current_database()
    )
)
ORDER BY id;
