-- What a connection is told, and how work is put into transactions.

-- name: journal
PRAGMA journal_mode = WAL;

-- name: durable
PRAGMA synchronous = FULL;

-- name: foreign_keys
PRAGMA foreign_keys = ON;

-- name: checkpoint_seldom
-- Every 16 MiB of log instead of 4: what is written again and again is carried over once.
PRAGMA wal_autocheckpoint = 4096;

-- name: keep_wal_small
PRAGMA journal_size_limit = 67108864;

-- name: cache_much
-- For one large read: 32 MiB, so that a sort of a month's users stays in memory; given back when the read ends.
PRAGMA cache_size = -32768;

-- name: quick_check
PRAGMA quick_check(1);

-- name: begin_write
BEGIN IMMEDIATE;

-- name: begin_read
BEGIN DEFERRED;

-- name: savepoint
SAVEPOINT unit;

-- name: keep_unit
RELEASE unit;

-- name: undo_unit
ROLLBACK TO unit;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: schema_version
PRAGMA user_version;

-- name: application
PRAGMA application_id;

-- name: tables
SELECT count(*) FROM sqlite_schema;

-- name: broken_references
PRAGMA foreign_key_check;

-- name: add_migration
INSERT INTO migrations (version, name, applied_ms) VALUES (?, ?, ?);
