-- Small values that all daemons share. A value whose end is over is not there.

-- name: shared_value
SELECT value FROM shared_values WHERE key = $1 AND (ends_ms IS NULL OR ends_ms > $2);

-- name: shared_values
SELECT key, value FROM shared_values
WHERE starts_with(key, $1) AND (ends_ms IS NULL OR ends_ms > $2);

-- name: put_value
INSERT INTO shared_values (key, value, at_ms, ends_ms) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms, ends_ms = excluded.ends_ms;

-- name: put_new_value
-- Where something stands it is locked, so that what is read next stands as well.
INSERT INTO shared_values AS now (key, value, at_ms, ends_ms) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms, ends_ms = excluded.ends_ms
WHERE now.ends_ms <= $3;

-- name: value_there
SELECT value FROM shared_values WHERE key = $1;

-- name: drop_value
DELETE FROM shared_values WHERE key = $1;

-- name: drop_ended_values
DELETE FROM shared_values WHERE ends_ms <= $1;
