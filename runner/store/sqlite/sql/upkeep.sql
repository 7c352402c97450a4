-- Forgetting, some rows at a time. The ledger and its sums by day are never touched.

-- name: forgettable_messages
SELECT id FROM inbox
WHERE finished_ms IS NOT NULL AND finished_ms < ?
  AND NOT EXISTS (
      SELECT 1 FROM outbox WHERE outbox.inbox_id = inbox.id AND outbox.state NOT IN ('sent', 'rejected')
  )
LIMIT ?;

-- name: forget_steps
-- With those of the turn's own parts: t12, t12.d1, t12.d1.d1; what comes after '.' in order is '/'.
DELETE FROM steps WHERE (turn, number) IN (
    SELECT steps.turn, steps.number
    FROM json_each(?) AS asked
    CROSS JOIN steps ON steps.turn >= 't' || asked.value AND steps.turn < 't' || asked.value || '/'
);

-- name: forget_outgoing
DELETE FROM outbox WHERE inbox_id IN (SELECT value FROM json_each(?));

-- name: forget_inbound
DELETE FROM inbox WHERE id IN (SELECT value FROM json_each(?));

-- name: forgettable_conversations
-- Not while its lane has work: a turn on its way goes on with the numbers that it has read.
SELECT id FROM conversations
WHERE last_ms < ?
  AND NOT EXISTS (
      SELECT 1 FROM inbox WHERE inbox.lane = conversations.lane AND inbox.finished_ms IS NULL
  )
LIMIT ?;

-- name: forget_messages
DELETE FROM messages WHERE conversation IN (SELECT value FROM json_each(?));

-- name: forget_turns
DELETE FROM turns WHERE conversation IN (SELECT value FROM json_each(?));

-- name: forget_conversations
DELETE FROM conversations WHERE id IN (SELECT value FROM json_each(?));

-- name: forget_conversation_sums
DELETE FROM conversation_sums WHERE conversation IN (SELECT value FROM json_each(?));

-- name: forgettable_turns
-- Of one user; a turn whose reply is on its way is not done yet.
SELECT turn, CAST(substr(turn, 2) AS INTEGER), conversation FROM turns
WHERE user = :user AND (:bot IS NULL OR bot = :bot)
  AND NOT EXISTS (
      SELECT 1 FROM outbox
      WHERE outbox.inbox_id = CAST(substr(turn, 2) AS INTEGER) AND outbox.state IN ('pending', 'sending')
  )
LIMIT :limit;

-- name: forgettable_turns_of_conversation
SELECT turn, CAST(substr(turn, 2) AS INTEGER), conversation FROM turns
WHERE conversation = ?
  AND NOT EXISTS (
      SELECT 1 FROM outbox
      WHERE outbox.inbox_id = CAST(substr(turn, 2) AS INTEGER) AND outbox.state IN ('pending', 'sending')
  )
LIMIT ?;

-- name: forget_messages_of_turns
DELETE FROM messages WHERE (conversation, seq) IN (
    SELECT messages.conversation, messages.seq
    FROM json_each(?) AS asked
    CROSS JOIN turns ON turns.turn = asked.value
    CROSS JOIN messages ON messages.conversation = turns.conversation
        AND messages.seq >= turns.first_seq AND messages.seq < turns.first_seq + turns.messages
);

-- name: forget_these_turns
DELETE FROM turns WHERE turn IN (SELECT value FROM json_each(?));

-- name: count_what_is_left
UPDATE conversations SET
    turns = (SELECT count(*) FROM turns WHERE turns.conversation = conversations.id),
    messages = (SELECT count(*) FROM messages WHERE messages.conversation = conversations.id)
WHERE id IN (SELECT value FROM json_each(?));

-- name: emptied_conversations
SELECT id FROM conversations
WHERE id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.conversation = conversations.id);

-- name: conversations_without_work
SELECT id FROM conversations
WHERE id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (
      SELECT 1 FROM inbox WHERE inbox.lane = conversations.lane AND inbox.finished_ms IS NULL
  );

-- name: forget_active_users
-- One day at a time.
DELETE FROM active_users WHERE day < ? AND day = (SELECT min(day) FROM active_users);
