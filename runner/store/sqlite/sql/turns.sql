-- name: save_conversation
-- The last two values are how many messages are added; what comes back is the number after the last of them.
INSERT INTO conversations (
    id, lane, bot, channel, user, started_ms, last_ms, first_seq, tier, head, prepared_first_seq, prepared_head,
    next_seq, messages, turns
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (id) DO UPDATE SET
    last_ms = excluded.last_ms, first_seq = excluded.first_seq, tier = excluded.tier, head = excluded.head,
    prepared_first_seq = excluded.prepared_first_seq, prepared_head = excluded.prepared_head,
    next_seq = next_seq + excluded.next_seq, messages = messages + excluded.messages, turns = turns + 1
RETURNING next_seq;

-- name: history
SELECT payload FROM messages WHERE conversation = ? AND seq >= ? ORDER BY seq;

-- name: add_message
INSERT INTO messages (conversation, seq, payload) VALUES (?, ?, ?);

-- name: steps
SELECT number, payload FROM steps WHERE turn = ? ORDER BY number;

-- name: attempts_of_turn
SELECT count(*) FROM ledger WHERE turn = ?;

-- name: save_step
INSERT INTO steps (turn, number, payload) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: save_turn
INSERT INTO turns (turn, bot, channel, conversation, user, stop_reason, at_ms, report, first_seq, messages)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: turn
SELECT turn, bot, channel, conversation, user, stop_reason, at_ms, report FROM turns WHERE turn = ?;
