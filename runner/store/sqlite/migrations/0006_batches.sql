-- Version 6. Batches with their lines, and up to when the runs of schedules are dealt with.

CREATE TABLE batches (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    bot          TEXT    NOT NULL,
    provider     TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    made_ms      INTEGER NOT NULL,
    lines        INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (
        state IN ('held', 'submitting', 'running', 'ended', 'done', 'failed', 'canceled', 'refused')
    ),
    key          TEXT    NOT NULL,
    label        TEXT    NOT NULL,
    terms        TEXT    NOT NULL,
    held         INTEGER NOT NULL,
    cancel       INTEGER NOT NULL DEFAULT 0,
    ending       TEXT    NOT NULL DEFAULT '',
    remote       TEXT    NOT NULL DEFAULT '',
    reached      INTEGER NOT NULL DEFAULT 0,
    submitted_ms INTEGER NOT NULL DEFAULT 0,
    ended_ms     INTEGER NOT NULL DEFAULT 0,
    why          TEXT    NOT NULL DEFAULT '',
    forgotten    INTEGER NOT NULL DEFAULT 0 -- 1: what was said in it is kept no longer, or never was
) STRICT;

CREATE UNIQUE INDEX batches_by_key ON batches (key) WHERE key <> '';
CREATE INDEX batches_by_bot ON batches (bot, seq);
CREATE INDEX batches_open ON batches (seq) WHERE state IN ('held', 'submitting', 'running', 'ended');

CREATE INDEX batches_by_remote ON batches (remote) WHERE remote <> '';
CREATE INDEX batches_over ON batches (ended_ms) WHERE forgotten = 0 AND ended_ms > 0;

CREATE TABLE batch_lines (
    batch             TEXT    NOT NULL REFERENCES batches (id),
    number            INTEGER NOT NULL,
    custom_id         TEXT    NOT NULL,
    request           TEXT    NOT NULL,
    max_output_tokens INTEGER NOT NULL,
    PRIMARY KEY (batch, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
    bot      TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (bot, name)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 6;
