-- Workflow runs, errands, hand-offs, memories.

-- name: save_run
INSERT INTO runs (
    id, bot, conversation, channel, "user", status, started_ms, at_ms, state, trace, turn, waiting_for
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET
    bot = excluded.bot, conversation = excluded.conversation, channel = excluded.channel, "user" = excluded."user",
    status = excluded.status, started_ms = excluded.started_ms, at_ms = excluded.at_ms, state = excluded.state,
    trace = excluded.trace, turn = excluded.turn, waiting_for = excluded.waiting_for;

-- name: run
SELECT id, bot, conversation, channel, "user", status, started_ms, at_ms, state, trace, turn, waiting_for
FROM runs WHERE id = $1;

-- name: runs_of_bot
SELECT id, bot, conversation, channel, "user", status, started_ms, at_ms, state, trace, turn, waiting_for
FROM runs WHERE bot = $1 ORDER BY at_ms DESC, seq DESC LIMIT $2;

-- name: waiting_runs
SELECT id, bot, conversation, channel, "user", status, started_ms, at_ms, state, trace, turn, waiting_for
FROM runs WHERE conversation = $1 AND status = 'waiting' ORDER BY at_ms DESC, seq DESC;

-- name: owe_errand
-- Not once it was an inbox row: what is done is not owed again.
INSERT INTO errands (key, bot, channel, lane, payload, due_ms, run, "user")
SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::bigint, $7::text, $8::text
WHERE NOT EXISTS (
    SELECT 1 FROM inbox WHERE bot = $2 AND channel = $3 AND account = $9::text AND event_id = $1
)
ON CONFLICT (key) DO NOTHING;

-- name: due_errands
SELECT key, bot, channel, lane, payload, due_ms, run, "user" FROM errands
WHERE due_ms <= $1 ORDER BY due_ms, seq LIMIT $2;

-- name: next_errand
SELECT min(due_ms) FROM errands;

-- name: send_errand
-- Gone and a message in one statement; of two daemons one takes it, and the other finds nothing.
WITH taken AS (DELETE FROM errands WHERE key = $1 RETURNING key, bot, channel, lane, payload)
INSERT INTO inbox (bot, channel, account, event_id, lane, payload, accepted_ms)
SELECT bot, channel, $2, key, lane, payload, $3 FROM taken
ON CONFLICT (bot, channel, account, event_id) DO NOTHING
RETURNING id;

-- name: save_handoff
INSERT INTO handoffs (
    id, run, bot, conversation, channel, lane, "user", reason, errand, asked_ms, decision, by, comment, decided_ms
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id) DO NOTHING;

-- name: handoff
SELECT id, run, bot, conversation, channel, lane, "user", reason, errand, asked_ms, decision, by, comment, decided_ms
FROM handoffs WHERE id = $1;

-- name: handoffs
SELECT id, run, bot, conversation, channel, lane, "user", reason, errand, asked_ms, decision, by, comment, decided_ms
FROM handoffs ORDER BY seq DESC LIMIT $1;

-- name: handoffs_decided_so
SELECT id, run, bot, conversation, channel, lane, "user", reason, errand, asked_ms, decision, by, comment, decided_ms
FROM handoffs WHERE decision = $2 ORDER BY seq DESC LIMIT $1;

-- name: decide
UPDATE handoffs SET decision = $2, by = $3, comment = $4, decided_ms = $5 WHERE id = $1 AND decision = 'pending'
RETURNING id, run, bot, conversation, channel, lane, "user", reason, errand, asked_ms, decision, by, comment, decided_ms;

-- name: recall
SELECT value FROM memories WHERE bot = $1 AND owner = $2 AND key = $3;

-- name: remember
-- With a new number, so that of the same time the last one written is the youngest.
INSERT INTO memories (bot, owner, key, value, at_ms) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (bot, owner, key) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms, seq = DEFAULT;

-- name: forget_memory
DELETE FROM memories WHERE bot = $1 AND owner = $2 AND key = $3;

-- name: drop_oldest_memories
DELETE FROM memories WHERE seq IN (
    SELECT seq FROM memories WHERE bot = $1 AND owner = $2 ORDER BY at_ms DESC, seq DESC OFFSET $3
);

-- ── forgetting ────────────────────────────────────────────────────────────────────────────────────────────
-- name: forget_old_runs
DELETE FROM runs WHERE seq IN (
    SELECT seq FROM runs WHERE status <> 'waiting' AND at_ms < $1 LIMIT $2
);

-- name: forget_old_handoffs
DELETE FROM handoffs WHERE seq IN (
    SELECT seq FROM handoffs WHERE decided_ms IS NOT NULL AND decided_ms < $1 LIMIT $2
);

-- name: forget_errands_of_user
DELETE FROM errands WHERE seq IN (
    SELECT seq FROM errands WHERE "user" = $1 AND "user" <> '' AND ($3::text IS NULL OR bot = $3) LIMIT $2
);

-- name: forget_handoffs_of_user
DELETE FROM handoffs WHERE seq IN (
    SELECT seq FROM handoffs WHERE "user" = $1 AND ($3::text IS NULL OR bot = $3) LIMIT $2
);

-- name: forget_runs_of_user
DELETE FROM runs WHERE seq IN (
    SELECT seq FROM runs WHERE "user" = $1 AND ($3::text IS NULL OR bot = $3) LIMIT $2
);

-- name: forget_memories_of_user
DELETE FROM memories WHERE seq IN (
    SELECT seq FROM memories WHERE owner = $1 AND owner <> '' AND ($3::text IS NULL OR bot = $3) LIMIT $2
);

-- name: forget_errands_of_conversation
DELETE FROM errands WHERE seq IN (
    SELECT errands.seq FROM runs JOIN errands ON errands.run = runs.id AND errands.run <> ''
    WHERE runs.conversation = $1 LIMIT $2
);

-- name: forget_handoffs_of_conversation
DELETE FROM handoffs WHERE seq IN (
    SELECT seq FROM handoffs WHERE conversation = $1 LIMIT $2
);

-- name: forget_runs_of_conversation
DELETE FROM runs WHERE seq IN (SELECT seq FROM runs WHERE conversation = $1 LIMIT $2);
