-- Conversations as people read them.

-- name: conversations
SELECT id, bot, channel, "user", started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE (last_ms, id) < ($1::bigint, $2::text)
ORDER BY last_ms DESC, id DESC
LIMIT $3;

-- name: conversations_of_bot
SELECT id, bot, channel, "user", started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE bot = $4 AND (last_ms, id) < ($1::bigint, $2::text)
ORDER BY last_ms DESC, id DESC
LIMIT $3;

-- name: conversations_of_user
SELECT id, bot, channel, "user", started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE id IN (SELECT conversation FROM turns WHERE turns."user" = $5) AND ($4::text IS NULL OR bot = $4)
  AND (last_ms, id) < ($1::bigint, $2::text)
ORDER BY last_ms DESC, id DESC
LIMIT $3;

-- name: conversation
SELECT id, bot, channel, "user", started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE id = $1;

-- name: transcript
-- The latest turns; what they cost is looked up in the ledger, by turn.
SELECT
    latest.first_seq, latest.messages, latest.turn, latest."user", latest.stop_reason, latest.at_ms, latest.report,
    spent.calls, spent.input_tokens, spent.output_tokens, spent.cost, spent.unknown
FROM (SELECT * FROM turns WHERE conversation = $1 ORDER BY seq DESC LIMIT $2) AS latest
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE corrects = '') AS calls,
        (coalesce(sum(input_tokens), 0))::bigint AS input_tokens,
        (coalesce(sum(output_tokens), 0))::bigint AS output_tokens,
        (coalesce(sum(cost) FILTER (WHERE state = 'settled'), 0))::bigint AS cost,
        (coalesce(sum(cost) FILTER (WHERE state = 'unknown'), 0))::bigint AS unknown
    FROM ledger WHERE ledger.turn = latest.turn AND ledger.state <> 'held'
) AS spent
ORDER BY latest.seq;

-- name: transcript_messages
SELECT seq, payload FROM messages WHERE conversation = $1 AND seq >= $2 ORDER BY seq;

-- name: turn
SELECT turn, bot, channel, conversation, "user", stop_reason, at_ms, report FROM turns WHERE turn = $1;
