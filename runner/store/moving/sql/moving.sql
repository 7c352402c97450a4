-- A whole store, table by table. {table}, {columns} and {marks} are filled in from the list of tables; no value is.

-- name: sqlite_columns
SELECT name FROM pragma_table_info(?);

-- name: sqlite_table
SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?;

-- name: sqlite_highest
SELECT coalesce(max({columns}), 0) FROM {table};

-- name: sqlite_given
-- The highest number that was ever given, where the table never gives one twice.
SELECT name, seq FROM sqlite_sequence;

-- name: sqlite_forget_given
DELETE FROM sqlite_sequence WHERE name = ?;

-- name: sqlite_go_on
INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?);

-- name: sqlite_ledger_triggers
SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'ledger';

-- name: sqlite_drop_trigger
DROP TRIGGER {table};

-- name: sqlite_put
INSERT INTO {table} ({columns}) VALUES ({marks});

-- name: count
SELECT count(*) FROM {table};

-- name: rows
SELECT {columns} FROM {table};

-- name: postgres_columns
SELECT column_name::text FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER'
ORDER BY ordinal_position;

-- name: postgres_alone
LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;

-- name: postgres_unwritten
LOCK TABLE {table} IN SHARE MODE;

-- name: postgres_patient
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL lock_timeout = '10s';

-- name: postgres_daemons
-- Daemons that are there: each holds this advisory lock with its number.
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = 1651471474 AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: postgres_any
SELECT EXISTS (SELECT FROM {table});

-- name: postgres_empty
DELETE FROM {table};

-- name: postgres_sum_not
-- The sums are copied themselves.
ALTER TABLE ledger DISABLE TRIGGER ledger_rows_come_ended;

-- name: postgres_sum_again
ALTER TABLE ledger ENABLE TRIGGER ledger_rows_come_ended;

-- name: postgres_given
SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {table};

-- name: postgres_counter
SELECT pg_get_serial_sequence($1, $2);

-- name: postgres_go_on
SELECT setval($1::text::regclass, $2);

-- name: postgres_analyse
ANALYZE;

-- name: postgres_begin_rows
DECLARE moving_{table} NO SCROLL CURSOR FOR {query};

-- name: postgres_more_rows
FETCH {page} FROM moving_{table};

-- name: postgres_end_rows
CLOSE moving_{table};

-- name: postgres_shared
SELECT key, value, at_ms, ends_ms FROM shared_values;

-- name: postgres_share
INSERT INTO shared_values (key, value, at_ms, ends_ms) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms, ends_ms = excluded.ends_ms;
