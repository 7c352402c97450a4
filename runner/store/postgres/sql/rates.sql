-- How many messages a minute: when they were counted, microseconds of the database's clock, the oldest first.

-- name: begin_rates
-- Keys that were never counted yet.
INSERT INTO rates (key, times)
SELECT asked.key, '{}' FROM unnest($1::text[]) AS asked (key)
WHERE NOT EXISTS (SELECT 1 FROM rates WHERE rates.key = asked.key)
ORDER BY asked.key
ON CONFLICT (key) DO NOTHING;

-- name: lock_rates
SELECT key, times FROM rates WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE;

-- name: now_us
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: count_rates
-- Of each key the oldest go, so many as were seen to be too old, and the new ones come behind.
UPDATE rates SET times = rates.times[given.dropped + 1:] || array_fill($1::bigint, ARRAY[given.added])
FROM unnest($2::text[], $3::integer[], $4::integer[]) AS given (key, dropped, added)
WHERE rates.key = given.key;

-- name: uncount_rates
UPDATE rates SET times = rates.times[:given.place] || rates.times[given.place + 2:]
FROM unnest($1::text[], $2::integer[]) AS given (key, place)
WHERE rates.key = given.key;

-- name: rates_need_no_disk
-- A minute that is forgotten in a crash of the server's machine is not worth a wait for its disk each time.
SET LOCAL synchronous_commit = off;
