-- Workflow runs, errands, hand-offs, memories.

-- name: save_run
INSERT INTO runs (id, bot, conversation, channel, user, status, started_ms, at_ms, state, trace, turn, waiting_for)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    bot = excluded.bot, conversation = excluded.conversation, channel = excluded.channel, user = excluded.user,
    status = excluded.status, started_ms = excluded.started_ms, at_ms = excluded.at_ms, state = excluded.state,
    trace = excluded.trace, turn = excluded.turn, waiting_for = excluded.waiting_for;

-- name: run
SELECT id, bot, conversation, channel, user, status, started_ms, at_ms, state, trace, turn, waiting_for
FROM runs WHERE id = ?;

-- name: runs_of_bot
SELECT id, bot, conversation, channel, user, status, started_ms, at_ms, state, trace, turn, waiting_for
FROM runs WHERE bot = ? ORDER BY at_ms DESC, seq DESC LIMIT ?;

-- name: waiting_runs
SELECT id, bot, conversation, channel, user, status, started_ms, at_ms, state, trace, turn, waiting_for
FROM runs WHERE conversation = ? AND status = 'waiting' ORDER BY at_ms DESC, seq DESC;

-- name: owe_errand
-- Not once it was an inbox row: what is done is not owed again.
INSERT INTO errands (key, bot, channel, lane, payload, due_ms, run, user)
SELECT :key, :bot, :channel, :lane, :payload, :due_ms, :run, :user
WHERE NOT EXISTS (
    SELECT 1 FROM inbox WHERE bot = :bot AND channel = :channel AND account = :account AND event_id = :key
)
ON CONFLICT (key) DO NOTHING;

-- name: due_errands
SELECT key, bot, channel, lane, payload, due_ms, run, user FROM errands
WHERE due_ms <= ? ORDER BY due_ms, seq LIMIT ?;

-- name: next_errand
SELECT min(due_ms) FROM errands;

-- name: take_errand
DELETE FROM errands WHERE key = ? RETURNING bot, channel, lane, payload;

-- name: save_handoff
INSERT INTO handoffs (
    id, run, bot, conversation, channel, lane, user, reason, errand, asked_ms, decision, by, comment, decided_ms
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: handoff
SELECT id, run, bot, conversation, channel, lane, user, reason, errand, asked_ms, decision, by, comment, decided_ms
FROM handoffs WHERE id = ?;

-- name: handoffs
SELECT id, run, bot, conversation, channel, lane, user, reason, errand, asked_ms, decision, by, comment, decided_ms
FROM handoffs ORDER BY seq DESC LIMIT :limit;

-- name: handoffs_decided_so
SELECT id, run, bot, conversation, channel, lane, user, reason, errand, asked_ms, decision, by, comment, decided_ms
FROM handoffs WHERE decision = :decision ORDER BY seq DESC LIMIT :limit;

-- name: decide
UPDATE handoffs SET decision = ?, by = ?, comment = ?, decided_ms = ? WHERE id = ? AND decision = 'pending';

-- name: recall
SELECT value FROM memories WHERE bot = ? AND owner = ? AND key = ?;

-- name: remember
-- Written anew, so that of the same time the last one written is the youngest.
INSERT OR REPLACE INTO memories (bot, owner, key, value, at_ms) VALUES (?, ?, ?, ?, ?);

-- name: forget_memory
DELETE FROM memories WHERE bot = ? AND owner = ? AND key = ?;

-- name: drop_oldest_memories
DELETE FROM memories WHERE seq IN (
    SELECT seq FROM memories WHERE bot = ? AND owner = ? ORDER BY at_ms DESC, seq DESC LIMIT -1 OFFSET ?
);

-- ── forgetting ────────────────────────────────────────────────────────────────────────────────────────────
-- name: forget_old_runs
DELETE FROM runs WHERE seq IN (
    SELECT seq FROM runs WHERE status <> 'waiting' AND at_ms < :before_ms LIMIT :limit
);

-- name: forget_old_handoffs
DELETE FROM handoffs WHERE seq IN (
    SELECT seq FROM handoffs WHERE decided_ms IS NOT NULL AND decided_ms < :before_ms LIMIT :limit
);

-- name: forget_errands_of_user
DELETE FROM errands WHERE seq IN (
    SELECT seq FROM errands WHERE user = :user AND user <> '' AND (:bot IS NULL OR bot = :bot) LIMIT :limit
);

-- name: forget_handoffs_of_user
DELETE FROM handoffs WHERE seq IN (
    SELECT seq FROM handoffs WHERE user = :user AND (:bot IS NULL OR bot = :bot) LIMIT :limit
);

-- name: forget_runs_of_user
DELETE FROM runs WHERE seq IN (
    SELECT seq FROM runs WHERE user = :user AND (:bot IS NULL OR bot = :bot) LIMIT :limit
);

-- name: forget_memories_of_user
DELETE FROM memories WHERE seq IN (
    SELECT seq FROM memories WHERE owner = :user AND owner <> '' AND (:bot IS NULL OR bot = :bot) LIMIT :limit
);

-- name: forget_errands_of_conversation
DELETE FROM errands WHERE seq IN (
    SELECT errands.seq FROM runs CROSS JOIN errands ON errands.run = runs.id AND errands.run <> ''
    WHERE runs.conversation = :conversation LIMIT :limit
);

-- name: forget_handoffs_of_conversation
DELETE FROM handoffs WHERE seq IN (
    SELECT seq FROM handoffs WHERE conversation = :conversation LIMIT :limit
);

-- name: forget_runs_of_conversation
DELETE FROM runs WHERE seq IN (SELECT seq FROM runs WHERE conversation = :conversation LIMIT :limit);
