-- The ledger and the counters, as they are read.

-- name: counters
SELECT name, settled, unknown, held FROM scopes;

-- name: counters_of
SELECT name, settled, unknown, held FROM scopes WHERE name = ANY($1::text[]);

-- name: ledger_page
-- Pages by (time, seq): between two of them nothing is kept open.
SELECT seq, id, time_ms, bot, platform, channel, conversation, "user", turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger
WHERE (time_ms, seq) > ($1::bigint, $2::bigint) AND time_ms < $3::bigint AND ($4::text IS NULL OR bot = $4)
  AND ($5::text IS NULL OR state = $5)
ORDER BY time_ms, seq
LIMIT $6;

-- name: unknown_page
-- As ledger_page, by the index of these few rows.
SELECT seq, id, time_ms, bot, platform, channel, conversation, "user", turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger
WHERE (time_ms, seq) > ($1::bigint, $2::bigint) AND time_ms < $3::bigint AND ($4::text IS NULL OR bot = $4)
  AND state = 'unknown'
ORDER BY time_ms, seq
LIMIT $5;

-- name: ledger_of_turn
SELECT seq, id, time_ms, bot, platform, channel, conversation, "user", turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger
WHERE turn = $1 AND time_ms >= $2::bigint AND time_ms < $3::bigint AND ($4::text IS NULL OR bot = $4)
  AND ($5::text IS NULL OR state = $5)
ORDER BY time_ms, seq;

-- name: ledger_row
SELECT seq, id, time_ms, bot, platform, channel, conversation, "user", turn, provider, model, price_version,
       feature, task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost,
       input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       reasoning_tokens, request_id, stop_reason, latency_ms, why, corrects, hold_tokens, tokens
FROM ledger WHERE id = $1;

-- name: add_correction
INSERT INTO ledger (
    id, time_ms, bot, platform, channel, conversation, "user", turn, provider, model, price_version, feature,
    task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost, request_id,
    stop_reason, why, corrects, hold_tokens, tokens
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26, $27, $28
)
ON CONFLICT (id) DO NOTHING
RETURNING seq;

-- name: ledger_sums
-- All rows, added up by where and how they stand.
SELECT scopes, state, sum(cost), sum(tokens) FROM ledger GROUP BY scopes, state;
