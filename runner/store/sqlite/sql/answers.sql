-- Answers kept to be given again, and heads of conversations.

-- name: kept_answer
SELECT key, bot, text, cost, made_ms, until_ms FROM kept_answers WHERE key = ? AND until_ms > ?;

-- name: keep_answer
INSERT INTO kept_answers (key, bot, text, cost, made_ms, until_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    bot = excluded.bot, text = excluded.text, cost = excluded.cost, made_ms = excluded.made_ms,
    until_ms = excluded.until_ms;

-- name: drop_oldest_answers
-- Of one bot, all but its latest.
DELETE FROM kept_answers WHERE key IN (
    SELECT key FROM kept_answers WHERE bot = ? ORDER BY made_ms DESC, key DESC LIMIT -1 OFFSET ?
);

-- name: forget_answers_of_bot
DELETE FROM kept_answers WHERE bot = ?;

-- name: forget_all_answers
DELETE FROM kept_answers;

-- name: forget_old_answers
DELETE FROM kept_answers WHERE key IN (SELECT key FROM kept_answers WHERE until_ms <= ? LIMIT ?);

-- name: prepare_head
UPDATE conversations SET prepared_first_seq = :first_seq, prepared_head = :text
WHERE id = :conversation AND first_seq < :first_seq;

-- name: forget_heads
UPDATE conversations SET head = '', prepared_first_seq = NULL, prepared_head = NULL
WHERE id IN (SELECT value FROM json_each(?));
