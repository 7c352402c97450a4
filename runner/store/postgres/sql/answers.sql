-- Answers kept to be given again, and heads of conversations.

-- name: kept_answer
SELECT key, bot, text, cost, made_ms, until_ms FROM kept_answers WHERE key = $1 AND until_ms > $2;

-- name: keep_answer
INSERT INTO kept_answers (key, bot, text, cost, made_ms, until_ms) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (key) DO UPDATE SET
    bot = excluded.bot, text = excluded.text, cost = excluded.cost, made_ms = excluded.made_ms,
    until_ms = excluded.until_ms;

-- name: drop_oldest_answers
-- Of one bot, all but its latest.
DELETE FROM kept_answers WHERE key IN (
    SELECT key FROM kept_answers WHERE bot = $1 ORDER BY made_ms DESC, key DESC OFFSET $2
);

-- name: forget_answers_of_bot
DELETE FROM kept_answers WHERE bot = $1;

-- name: forget_all_answers
DELETE FROM kept_answers;

-- name: forget_old_answers
DELETE FROM kept_answers WHERE key IN (SELECT key FROM kept_answers WHERE until_ms <= $1 LIMIT $2);

-- name: prepare_head
UPDATE conversations SET prepared_first_seq = $2, prepared_head = $3
WHERE id = $1 AND first_seq < $2;

-- name: forget_heads
UPDATE conversations SET head = '', prepared_first_seq = NULL, prepared_head = NULL
WHERE id = ANY($1::text[]);
