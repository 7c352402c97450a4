-- Shared values. One whose end is over is not there, whether its row has gone or not.

-- name: value
SELECT value FROM shared_values WHERE key = ? AND (ends_ms IS NULL OR ends_ms > ?);

-- name: values_by_prefix
-- :beyond: the first text that does not begin so any more.
SELECT key, value FROM shared_values
WHERE key >= :prefix AND key < :beyond AND (ends_ms IS NULL OR ends_ms > :now_ms)
ORDER BY key;

-- name: put_value
INSERT INTO shared_values (key, value, at_ms, ends_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms, ends_ms = excluded.ends_ms;

-- name: drop_value
DELETE FROM shared_values WHERE key = ?;

-- name: drop_ended_values
DELETE FROM shared_values WHERE key IN (
    SELECT key FROM shared_values WHERE ends_ms IS NOT NULL AND ends_ms <= ? LIMIT ?
);
