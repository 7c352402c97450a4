-- Money, for many rows at once. Whoever changes counters locks them first, all that it needs in one go.

-- name: lock_scopes
SELECT name, settled, unknown, held FROM lock_scopes($1::text[]);

-- name: save_scopes
UPDATE scopes SET settled = s.settled, unknown = s.unknown, held = s.held
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS s (name, settled, unknown, held)
WHERE scopes.name = s.name;

-- name: funds
SELECT sum(amount)::bigint FROM deposits;

-- name: add_holds
INSERT INTO ledger (
    id, time_ms, bot, platform, channel, conversation, "user", turn, provider, model, price_version, feature,
    task, route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost, hold_tokens, tokens,
    daemon
)
SELECT
    h.id, h.time_ms, h.bot, h.platform, h.channel, h.conversation, h."user", h.turn, h.provider, h.model,
    h.price_version, h.feature, h.task, h.route, h.route_reason, h.billing_mode, h.number, h.iteration, h.scopes,
    'held', h.hold, h.hold, h.tokens, h.tokens, $22::integer
FROM unnest(
    $1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::integer[],
    $18::integer[], $19::text[], $20::bigint[], $21::bigint[]
) WITH ORDINALITY AS h (
    id, time_ms, bot, platform, channel, conversation, "user", turn, provider, model, price_version, feature,
    task, route, route_reason, billing_mode, number, iteration, scopes, hold, tokens, place
)
ORDER BY h.place
ON CONFLICT (id) DO NOTHING
RETURNING id, pg_current_xact_id()::text;

-- name: reservations
SELECT id, state, hold, hold_tokens, scopes, turn FROM ledger WHERE id = ANY($1::text[]);

-- name: reservations_kept
SELECT id, state, hold, hold_tokens, scopes, turn FROM ledger WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE;

-- name: attempts_there
SELECT id FROM ledger WHERE id = ANY($1::text[]);

-- name: end_holds
-- That it is held is asked in words that no partial index answers: each row is found by its id, however many are held.
UPDATE ledger SET
    state = e.state, cost = e.cost, tokens = e.tokens, input_tokens = e.input_tokens,
    output_tokens = e.output_tokens, cache_read_tokens = e.cache_read_tokens,
    cache_write_5m_tokens = e.cache_write_5m_tokens, cache_write_1h_tokens = e.cache_write_1h_tokens,
    reasoning_tokens = e.reasoning_tokens, request_id = e.request_id, stop_reason = e.stop_reason,
    latency_ms = e.latency_ms, why = e.why
FROM unnest(
    $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::bigint[], $14::text[]
) AS e (
    id, state, cost, tokens, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, reasoning_tokens, request_id, stop_reason, latency_ms, why
)
WHERE ledger.id = e.id AND ledger.state || '' = 'held'
RETURNING ledger.id, pg_current_xact_id()::text;
