-- Forgetting, some rows at a time. The ledger is never touched.

-- name: forgettable_messages
SELECT id FROM inbox
WHERE finished_ms IS NOT NULL AND finished_ms < ?
  AND NOT EXISTS (
      SELECT 1 FROM outbox WHERE outbox.inbox_id = inbox.id AND outbox.state NOT IN ('sent', 'rejected')
  )
LIMIT ?;

-- name: forget_steps
DELETE FROM steps WHERE turn IN (SELECT 't' || value FROM json_each(?));

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
