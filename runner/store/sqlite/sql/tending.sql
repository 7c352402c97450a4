-- Copies, checks and figures of a store as a whole.

-- name: integrity_check
PRAGMA integrity_check(3);

-- name: one_file
-- For a copy: without a write-ahead log beside it. A daemon that opens it turns the log on again.
PRAGMA journal_mode = DELETE;

-- name: checkpoint
PRAGMA wal_checkpoint(TRUNCATE);

-- name: vacuum_into
VACUUM INTO ?;

-- name: page_size
PRAGMA page_size;

-- name: free_pages
PRAGMA freelist_count;

-- name: row_counts
SELECT 'inbox', count(*) FROM inbox
UNION ALL SELECT 'outbox', count(*) FROM outbox
UNION ALL SELECT 'conversations', count(*) FROM conversations
UNION ALL SELECT 'messages', count(*) FROM messages
UNION ALL SELECT 'turns', count(*) FROM turns
UNION ALL SELECT 'steps', count(*) FROM steps
UNION ALL SELECT 'ledger', count(*) FROM ledger
UNION ALL SELECT 'scopes', count(*) FROM scopes
UNION ALL SELECT 'deposits', count(*) FROM deposits
UNION ALL SELECT 'alerts', count(*) FROM alerts
UNION ALL SELECT 'quarantine', count(*) FROM quarantine
UNION ALL SELECT 'traffic_days', count(*) FROM traffic_days
UNION ALL SELECT 'active_users', count(*) FROM active_users
UNION ALL SELECT 'usage_days', count(*) FROM usage_days
UNION ALL SELECT 'usage_user_days', count(*) FROM usage_user_days
UNION ALL SELECT 'kept_answers', count(*) FROM kept_answers
UNION ALL SELECT 'batches', count(*) FROM batches
UNION ALL SELECT 'batch_lines', count(*) FROM batch_lines
UNION ALL SELECT 'runs', count(*) FROM runs
UNION ALL SELECT 'errands', count(*) FROM errands
UNION ALL SELECT 'handoffs', count(*) FROM handoffs
UNION ALL SELECT 'memories', count(*) FROM memories
UNION ALL SELECT 'shared_values', count(*) FROM shared_values;

-- name: oldest_message
SELECT min(accepted_ms) FROM inbox;

-- name: latest_message
SELECT accepted_ms FROM inbox ORDER BY id DESC LIMIT 1;

-- name: left_open
-- What the next start has to decide about: calls whose end nobody saw, sends that were under way.
SELECT
    (
        SELECT count(*) FROM ledger
        WHERE state = 'held' AND NOT (
            feature = 'batch'
            AND turn IN (SELECT id FROM batches WHERE state IN ('held', 'submitting', 'running', 'ended'))
        )
    ),
    (SELECT count(*) FROM outbox WHERE state = 'sending' AND state <> 'sent'),
    (SELECT count(*) FROM inbox WHERE finished_ms IS NULL);

-- name: old_sends
-- Parts that are not where they should be, with when their turn ended.
SELECT outbox.id, outbox.bot, outbox.channel, outbox.state, outbox.why, coalesce(inbox.finished_ms, 0)
FROM outbox CROSS JOIN inbox ON inbox.id = outbox.inbox_id
WHERE outbox.state <> 'sent' AND outbox.state <> 'rejected'
ORDER BY outbox.id
LIMIT ?;
