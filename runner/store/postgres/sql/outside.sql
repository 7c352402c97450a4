-- For somebody who is no daemon: `runner.store.postgres.outside`.

-- name: outside_begun
SELECT to_regclass('shared_values') IS NOT NULL;

-- name: outside_now
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- name: outside_schema
SELECT max(version) FROM schema_steps;

-- name: outside_daemons
SELECT count(*) FROM daemons WHERE ended_ms IS NULL;

-- name: outside_ping
SELECT 1;
