-- Forgetting, some rows at a time. The ledger and its sums by day are never touched.

-- name: forgettable_messages
SELECT id FROM inbox
WHERE finished_ms IS NOT NULL AND finished_ms < $1
  AND NOT EXISTS (
      SELECT 1 FROM outbox WHERE outbox.inbox_id = inbox.id AND outbox.state NOT IN ('sent', 'rejected')
  )
LIMIT $2;

-- name: forget_steps
-- With those of the turn's own parts: t12, t12.d1, t12.d1.d1; what comes after '.' in order is '/'.
DELETE FROM steps USING unnest($1::bigint[]) AS asked (id)
WHERE steps.turn ~>=~ ('t' || asked.id) AND steps.turn ~<~ ('t' || asked.id || '/');

-- name: forget_outgoing
DELETE FROM outbox WHERE inbox_id = ANY($1::bigint[]);

-- name: forget_inbound
DELETE FROM inbox WHERE id = ANY($1::bigint[]);

-- name: idle_conversations
-- Not while its lane has work: a turn on its way goes on with the numbers that it has read.
SELECT id FROM conversations
WHERE last_ms < $1
  AND NOT EXISTS (
      SELECT 1 FROM inbox WHERE inbox.lane = conversations.lane AND inbox.finished_ms IS NULL
  )
LIMIT $2;

-- name: lanes_of
SELECT DISTINCT lane FROM conversations WHERE id = ANY($1::text[]) ORDER BY lane;

-- name: hold_lanes
-- As a daemon that works in a lane holds it, until this transaction ends; those that nobody works in.
SELECT lane FROM unnest($1::text[]) AS asked (lane) WHERE pg_try_advisory_xact_lock(hashtextextended(lane, 0));

-- name: conversations_without_work
SELECT id FROM conversations
WHERE id = ANY($1::text[]) AND lane = ANY($2::text[])
  AND NOT EXISTS (
      SELECT 1 FROM inbox WHERE inbox.lane = conversations.lane AND inbox.finished_ms IS NULL
  )
ORDER BY id
FOR UPDATE;

-- name: stop_conversations
-- Whoever ends a turn in one of them waits, so that what is counted afterwards is right.
SELECT id FROM conversations WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE;

-- name: forget_messages
DELETE FROM messages WHERE conversation = ANY($1::text[]);

-- name: forget_turns
DELETE FROM turns WHERE conversation = ANY($1::text[]);

-- name: forget_conversations
DELETE FROM conversations WHERE id = ANY($1::text[]);

-- name: forget_conversation_sums
DELETE FROM conversation_sums WHERE conversation = ANY($1::text[]);

-- name: forgettable_turns
-- Of one user; a turn whose reply is on its way is not done yet.
SELECT turn, substr(turn, 2)::bigint, conversation FROM turns
WHERE "user" = $1 AND ($2::text IS NULL OR bot = $2)
  AND NOT EXISTS (
      SELECT 1 FROM outbox
      WHERE outbox.inbox_id = substr(turns.turn, 2)::bigint AND outbox.state IN ('pending', 'sending')
  )
LIMIT $3;

-- name: forgettable_turns_of_conversation
SELECT turn, substr(turn, 2)::bigint, conversation FROM turns
WHERE conversation = $1
  AND NOT EXISTS (
      SELECT 1 FROM outbox
      WHERE outbox.inbox_id = substr(turns.turn, 2)::bigint AND outbox.state IN ('pending', 'sending')
  )
LIMIT $2;

-- name: forget_messages_of_turns
DELETE FROM messages USING turns
WHERE turns.turn = ANY($1::text[]) AND messages.conversation = turns.conversation
  AND messages.seq >= turns.first_seq AND messages.seq < turns.first_seq + turns.messages;

-- name: forget_these_turns
DELETE FROM turns WHERE turn = ANY($1::text[]);

-- name: count_what_is_left
UPDATE conversations SET
    turns = (SELECT count(*) FROM turns WHERE turns.conversation = conversations.id),
    messages = (SELECT count(*) FROM messages WHERE messages.conversation = conversations.id)
WHERE id = ANY($1::text[]);

-- name: emptied_conversations
SELECT id FROM conversations
WHERE id = ANY($1::text[]) AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.conversation = conversations.id);

-- name: forget_active_users
-- One day at a time.
DELETE FROM active_users WHERE day < $1 AND day = (SELECT min(day) FROM active_users);

-- name: forget_idle_rates
DELETE FROM rates WHERE key IN (
    SELECT key FROM rates
    WHERE coalesce(times[cardinality(times)], 0) < extract(epoch FROM clock_timestamp()) * 1000000 - $1::bigint
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);
