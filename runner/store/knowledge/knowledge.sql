-- The passages of one collection. Its database is SQLite's own temporary file: gone with the connection.

-- name: knowledge_room
-- KiB of pages kept in memory; the rest is on disk.
PRAGMA cache_size = -1024;

-- name: knowledge_table
CREATE VIRTUAL TABLE passages USING fts5 (
    heading, text, source UNINDEXED, tokenize = 'unicode61 remove_diacritics 2'
);

-- name: knowledge_add
INSERT INTO passages (rowid, heading, text, source) VALUES (?, ?, ?, ?);

-- name: knowledge_drop
DELETE FROM passages WHERE rowid BETWEEN ? AND ?;

-- name: knowledge_search
-- What stands in a heading counts twice.
SELECT text, source, -bm25(passages, 2.0, 1.0) AS score FROM passages
WHERE passages MATCH ? ORDER BY score DESC, rowid LIMIT ?;
