-- name: add_batch
INSERT INTO batches (id, bot, provider, model, made_ms, lines, state, key, label, terms, held, submitted_ms, ended_ms, why, forgotten)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: add_batch_line
INSERT INTO batch_lines (batch, number, custom_id, request, max_output_tokens) VALUES (?, ?, ?, ?, ?);

-- name: batch
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE id = ?;

-- name: batch_of_key
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE key = ? AND key <> '';

-- name: batches
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches ORDER BY seq DESC LIMIT :limit;

-- name: batches_of_bot
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE bot = :bot ORDER BY seq DESC LIMIT :limit;

-- name: open_batches
SELECT id, bot, provider, model, made_ms, lines, state, key, label, terms, held, cancel, ending, remote, reached,
       submitted_ms, ended_ms, why
FROM batches WHERE state IN ('held', 'submitting', 'running', 'ended')
ORDER BY seq;

-- name: save_batch
UPDATE batches SET
    state = ?, ending = ?, remote = ?, reached = ?, submitted_ms = ?, ended_ms = ?, why = ?
WHERE id = ?;

-- name: ask_cancel
UPDATE batches SET cancel = 1 WHERE id = ? AND state IN ('held', 'submitting', 'running', 'ended');

-- name: batch_remotes
SELECT remote FROM batches WHERE remote <> '';

-- name: batch_lines
SELECT number, custom_id, request, max_output_tokens FROM batch_lines
WHERE batch = ? AND number > ?
ORDER BY number
LIMIT ?;

-- name: open_line_holds
SELECT batch_lines.number, ledger.hold, ledger.hold_tokens, batch_lines.max_output_tokens
FROM batch_lines
CROSS JOIN ledger ON ledger.id = batch_lines.batch || '-' || batch_lines.number
WHERE batch_lines.batch = ? AND ledger.state = 'held'
ORDER BY batch_lines.number;

-- name: line_ends
SELECT batch_lines.number, batch_lines.custom_id, ledger.state, ledger.cost,
       ledger.input_tokens, ledger.output_tokens, ledger.cache_read_tokens, ledger.cache_write_5m_tokens,
       ledger.cache_write_1h_tokens, ledger.reasoning_tokens, ledger.stop_reason, ledger.why,
       coalesce(steps.payload, '')
FROM batch_lines
CROSS JOIN ledger ON ledger.id = batch_lines.batch || '-' || batch_lines.number
LEFT JOIN steps ON steps.turn = batch_lines.batch AND steps.number = batch_lines.number
WHERE batch_lines.batch = ? AND batch_lines.number > ?
ORDER BY batch_lines.number
LIMIT ?;

-- name: batch_figures
SELECT
    turn,
    sum(corrects = '' AND state = 'held'), sum(corrects = '' AND state = 'settled'),
    sum(corrects = '' AND state = 'released'), sum(corrects = '' AND state = 'unknown'),
    sum(iif(state = 'held', cost, 0)), sum(iif(state = 'settled', cost, 0)), sum(iif(state = 'unknown', cost, 0)),
    sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
    sum(cache_write_1h_tokens), sum(reasoning_tokens)
FROM ledger WHERE turn IN (SELECT value FROM json_each(?))
GROUP BY turn;

-- name: last_run
SELECT until_ms FROM schedules WHERE bot = ? AND name = ?;

-- name: set_last_run
INSERT INTO schedules (bot, name, until_ms) VALUES (?, ?, ?)
ON CONFLICT (bot, name) DO UPDATE SET until_ms = excluded.until_ms;

-- name: forgettable_batches
SELECT id FROM batches WHERE forgotten = 0 AND ended_ms > 0 AND ended_ms < ? LIMIT 1;

-- name: forget_batch_answers
DELETE FROM steps WHERE turn = ?;

-- name: forget_batch_lines
DELETE FROM batch_lines WHERE batch = ?;

-- name: batch_is_forgotten
UPDATE batches SET forgotten = 1 WHERE id = ?;
