-- Figures of a database as a whole.

-- name: database_size
SELECT pg_database_size(current_database());

-- name: table_sizes
-- Bytes with all indexes, of tables of ours.
SELECT t.relname, pg_total_relation_size(t.oid)
FROM pg_class AS t
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p')
ORDER BY t.relname;

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
UNION ALL SELECT 'shared_values', count(*) FROM shared_values
UNION ALL SELECT 'daemons', count(*) FROM daemons;

-- name: oldest_message
SELECT accepted_ms FROM inbox ORDER BY id LIMIT 1;

-- name: old_sends
-- Parts that are not where they should be, with when their turn ended.
SELECT outbox.id, outbox.bot, outbox.channel, outbox.state, outbox.why, coalesce(inbox.finished_ms, 0)
FROM outbox JOIN inbox ON inbox.id = outbox.inbox_id
WHERE outbox.state <> 'sent' AND outbox.state <> 'rejected'
ORDER BY outbox.id
LIMIT $1;
