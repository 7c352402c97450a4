-- name: add_batch
-- First of all that a batch writes: a second one of that id, or of that key, waits here for the first.
INSERT INTO batches (
    id, bot, provider, model, made_ms, lines, state, key, label, terms, held, submitted_ms, ended_ms, why, forgotten
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14)
ON CONFLICT DO NOTHING;

-- name: batch_holds
UPDATE batches SET held = $2 WHERE id = $1;

-- name: add_batch_lines
INSERT INTO batch_lines (batch, number, custom_id, request, max_output_tokens)
SELECT $1::text, number, custom_id, request, max_output_tokens
FROM unnest($2::integer[], $3::text[], $4::text[], $5::integer[])
    AS given (number, custom_id, request, max_output_tokens);

-- name: batch
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE id = $1;

-- name: batch_to_change
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE id = $1 FOR UPDATE;

-- name: batch_of_key
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE key = $1 AND key <> '';

-- name: batches
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches ORDER BY seq DESC LIMIT $1;

-- name: batches_of_bot
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE bot = $2 ORDER BY seq DESC LIMIT $1;

-- name: open_batches
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE state IN ('held', 'submitting', 'running', 'ended')
ORDER BY seq;

-- name: save_batch
UPDATE batches SET
    state = $2, ending = $3, remote = $4, reached = $5, submitted_ms = $6, ended_ms = $7, why = $8
WHERE id = $1
RETURNING id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why;

-- name: ask_cancel
UPDATE batches SET cancel = 1 WHERE id = $1 AND state IN ('held', 'submitting', 'running', 'ended');

-- name: batch_remotes
SELECT remote FROM batches WHERE remote <> '';

-- name: batch_lines
SELECT number, custom_id, request, max_output_tokens FROM batch_lines
WHERE batch = $1 AND number > $2
ORDER BY number
LIMIT $3;

-- name: open_line_holds
SELECT batch_lines.number, ledger.hold, ledger.hold_tokens, batch_lines.max_output_tokens
FROM batch_lines
JOIN ledger ON ledger.id = batch_lines.batch || '-' || batch_lines.number
WHERE batch_lines.batch = $1 AND ledger.state = 'held'
ORDER BY batch_lines.number;

-- name: line_ends
SELECT line.number, line.custom_id, ledger.state, ledger.cost,
       ledger.input_tokens, ledger.output_tokens, ledger.cache_read_tokens, ledger.cache_write_5m_tokens,
       ledger.cache_write_1h_tokens, ledger.reasoning_tokens, ledger.stop_reason, ledger.why,
       coalesce(steps.payload, '')
FROM (SELECT * FROM batch_lines WHERE batch = $1 AND number > $2 ORDER BY number LIMIT $3) AS line
JOIN ledger ON ledger.id = line.batch || '-' || line.number
LEFT JOIN steps ON steps.turn = line.batch AND steps.number = line.number
ORDER BY line.number;

-- name: add_line_answers
INSERT INTO steps (turn, number, payload)
SELECT turn, number, payload FROM unnest($1::text[], $2::integer[], $3::text[]) AS given (turn, number, payload)
ON CONFLICT DO NOTHING;

-- name: batch_figures
SELECT
    turn,
    count(*) FILTER (WHERE corrects = '' AND state = 'held'),
    count(*) FILTER (WHERE corrects = '' AND state = 'settled'),
    count(*) FILTER (WHERE corrects = '' AND state = 'released'),
    count(*) FILTER (WHERE corrects = '' AND state = 'unknown'),
    (coalesce(sum(cost) FILTER (WHERE state = 'held'), 0))::bigint,
    (coalesce(sum(cost) FILTER (WHERE state = 'settled'), 0))::bigint,
    (coalesce(sum(cost) FILTER (WHERE state = 'unknown'), 0))::bigint,
    sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cache_read_tokens)::bigint,
    sum(cache_write_5m_tokens)::bigint, sum(cache_write_1h_tokens)::bigint, sum(reasoning_tokens)::bigint
FROM ledger WHERE turn = ANY($1::text[])
GROUP BY turn;

-- name: last_run
SELECT until_ms FROM schedules WHERE bot = $1 AND name = $2;

-- name: set_last_run
INSERT INTO schedules (bot, name, until_ms) VALUES ($1, $2, $3)
ON CONFLICT (bot, name) DO UPDATE SET until_ms = excluded.until_ms;

-- name: forgettable_batch
SELECT id FROM batches WHERE forgotten = 0 AND ended_ms > 0 AND ended_ms < $1 LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: forget_batch_answers
DELETE FROM steps WHERE turn = $1;

-- name: forget_batch_lines
DELETE FROM batch_lines WHERE batch = $1;

-- name: batch_is_forgotten
UPDATE batches SET forgotten = 1 WHERE id = $1;
