-- name: counter
SELECT settled, unknown, held FROM scopes WHERE name = ?;

-- name: counters
SELECT name, settled, unknown, held FROM scopes;

-- name: save_counter
INSERT INTO scopes (name, settled, unknown, held) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    settled = excluded.settled, unknown = excluded.unknown, held = excluded.held;

-- name: attempt_exists
SELECT 1 FROM ledger WHERE id = ?;

-- name: hold
INSERT INTO ledger (
    id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version, feature,
    task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost, hold_tokens, tokens
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'held', ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: reservation
SELECT seq, state, hold, hold_tokens, scopes, turn FROM ledger WHERE id = ?;

-- name: end_hold
UPDATE ledger SET
    state = ?, cost = ?, tokens = ?, input_tokens = ?, output_tokens = ?, cache_read_tokens = ?, cache_write_5m_tokens = ?,
    cache_write_1h_tokens = ?, reasoning_tokens = ?, request_id = ?, stop_reason = ?, latency_ms = ?, why = ?
WHERE seq = ?;

-- name: held
-- What a start finds held, but for the lines of open batches: their fate can still be learned.
SELECT id FROM ledger
WHERE state = 'held' AND NOT (
    feature = 'batch'
    AND turn IN (SELECT id FROM batches WHERE state IN ('held', 'submitting', 'running', 'ended'))
)
ORDER BY seq;

-- name: ledger_page
-- Pages by (time, seq): between two of them nothing is kept open.
SELECT seq, id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger
WHERE (time_ms, seq) > (:after_ms, :after_seq) AND time_ms < :to_ms AND (:bot IS NULL OR bot = :bot)
  AND (:state IS NULL OR state = :state)
ORDER BY time_ms, seq
LIMIT :limit;

-- name: unknown_page
-- As ledger_page, by the index of these few rows.
SELECT seq, id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger
WHERE (time_ms, seq) > (:after_ms, :after_seq) AND time_ms < :to_ms AND (:bot IS NULL OR bot = :bot)
  AND state = 'unknown'
ORDER BY time_ms, seq
LIMIT :limit;

-- name: ledger_of_turn
SELECT seq, id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger
WHERE turn = :turn AND time_ms >= :from_ms AND time_ms < :to_ms AND (:bot IS NULL OR bot = :bot)
  AND (:state IS NULL OR state = :state)
ORDER BY time_ms, seq;

-- name: usage
-- One text for every set of groupings: a column that is not asked for is the same for all rows.
SELECT
    iif(:by_bot, bot, '') AS by_bot,
    iif(:by_feature, feature, '') AS by_feature,
    iif(:by_task, task, '') AS by_task,
    iif(:by_user, user, '') AS by_user,
    iif(:by_model, model, '') AS by_model,
    iif(:by_provider, provider, '') AS by_provider,
    iif(:by_route, route, '') AS by_route,
    iif(:by_platform, platform, '') AS by_platform,
    iif(:by_day, date(time_ms / 1000, 'unixepoch'), '') AS by_day,
    sum(iif(state = 'settled', cost, 0)),
    sum(corrects = ''),
    sum(corrects = '' AND number > 1),
    sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
    sum(cache_write_1h_tokens), sum(reasoning_tokens),
    sum(iif(state = 'unknown', cost, 0))
FROM ledger
WHERE time_ms >= :from_ms AND time_ms < :to_ms AND state <> 'held' AND (:state IS NULL OR state = :state)
  AND (:bot IS NULL OR bot = :bot) AND (:turn IS NULL OR turn = :turn)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

-- name: ledger_row
SELECT seq, id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger WHERE id = ?;

-- name: add_correction
INSERT INTO ledger (
    id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version, feature,
    task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost, request_id,
    stop_reason, why, corrects, hold_tokens, tokens
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: funds
SELECT sum(amount) FROM deposits;

-- name: deposit
INSERT INTO deposits (key, amount, at_ms, note) VALUES (?, ?, ?, ?);

-- name: deposit_of
SELECT key, amount, at_ms, note FROM deposits WHERE key = ?;

-- name: deposits
SELECT key, amount, at_ms, note FROM deposits ORDER BY at_ms DESC, rowid DESC;

-- name: set_aside
INSERT INTO quarantine (provider, model, attempt, held, cost, at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (provider, model) DO NOTHING;

-- name: quarantined
SELECT provider, model, attempt, held, cost, at_ms FROM quarantine ORDER BY at_ms DESC, provider, model;

-- name: clear_quarantine
DELETE FROM quarantine WHERE provider = ? AND model = ?;

-- name: raise_alert
INSERT INTO alerts (scope, percent, "limit", gone, at_ms, waits) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (scope, "limit", percent) DO NOTHING;

-- name: alerts
SELECT scope, percent, "limit", gone, at_ms FROM alerts ORDER BY id DESC LIMIT ?;

-- name: waiting_alerts
SELECT id, tries, due_ms, scope, percent, "limit", gone, at_ms FROM alerts WHERE waits = 1 ORDER BY due_ms, id LIMIT ?;

-- name: end_alert
UPDATE alerts SET waits = ?, tries = tries + 1, due_ms = ? WHERE id = ? AND waits = 1;
