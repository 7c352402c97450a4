-- Conversations as people read them.

-- name: conversations
SELECT id, bot, channel, user, started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE (last_ms, id) < (:last_ms, :id)
ORDER BY last_ms DESC, id DESC
LIMIT :limit;

-- name: conversations_of_bot
SELECT id, bot, channel, user, started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE bot = :bot AND (last_ms, id) < (:last_ms, :id)
ORDER BY last_ms DESC, id DESC
LIMIT :limit;

-- name: conversations_of_user
SELECT id, bot, channel, user, started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE id IN (SELECT conversation FROM turns WHERE turns.user = :user) AND (:bot IS NULL OR bot = :bot)
  AND (last_ms, id) < (:last_ms, :id)
ORDER BY last_ms DESC, id DESC
LIMIT :limit;

-- name: conversation
SELECT id, bot, channel, user, started_ms, last_ms, turns, messages, coalesce(cost, 0), coalesce(unknown, 0)
FROM conversations LEFT JOIN conversation_sums ON conversation = id
WHERE id = ?;

-- name: conversation_state
SELECT id, started_ms, last_ms, first_seq, next_seq, tier, head, prepared_first_seq, prepared_head
FROM conversations WHERE id = ?;

-- name: transcript
-- The latest turns; what they cost is looked up in the ledger, by turn.
SELECT
    latest.first_seq, latest.messages, latest.turn, latest.user, latest.stop_reason, latest.at_ms, latest.report,
    coalesce(sum(corrects = ''), 0), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
    coalesce(sum(iif(state = 'settled', cost, 0)), 0), coalesce(sum(iif(state = 'unknown', cost, 0)), 0)
FROM (
    SELECT rowid AS number, * FROM turns WHERE conversation = :conversation ORDER BY rowid DESC LIMIT :latest
) AS latest
LEFT JOIN ledger ON ledger.turn = latest.turn AND ledger.state <> 'held'
GROUP BY latest.number
ORDER BY latest.number;

-- name: transcript_messages
SELECT seq, payload FROM messages WHERE conversation = ? AND seq >= ? ORDER BY seq;
