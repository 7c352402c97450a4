-- Version 7. Workflow runs between their turns, what is owed at a time, what reviewers are asked, what is remembered.

CREATE TABLE runs (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    bot          TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    channel      TEXT    NOT NULL,
    user         TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('waiting', 'finished', 'failed')),
    started_ms   INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    trace        TEXT    NOT NULL,
    turn         TEXT    NOT NULL, -- that wrote it last
    waiting_for  TEXT    NOT NULL
) STRICT;

CREATE INDEX runs_by_bot ON runs (bot, at_ms, seq);
CREATE INDEX runs_by_user ON runs (user);
CREATE INDEX runs_by_conversation ON runs (conversation);
CREATE INDEX runs_over ON runs (at_ms) WHERE status <> 'waiting';

CREATE TABLE errands (
    seq     INTEGER PRIMARY KEY,
    key     TEXT    NOT NULL UNIQUE,
    bot     TEXT    NOT NULL,
    channel TEXT    NOT NULL,
    lane    TEXT    NOT NULL,
    payload TEXT    NOT NULL,
    due_ms  INTEGER NOT NULL,
    run     TEXT    NOT NULL, -- empty: none
    user    TEXT    NOT NULL
) STRICT;

CREATE INDEX errands_by_due ON errands (due_ms, seq);
CREATE INDEX errands_by_run ON errands (run) WHERE run <> '';
CREATE INDEX errands_by_user ON errands (user) WHERE user <> '';

CREATE TABLE handoffs (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    run          TEXT    NOT NULL,
    bot          TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    channel      TEXT    NOT NULL,
    lane         TEXT    NOT NULL,
    user         TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    errand       TEXT    NOT NULL,
    asked_ms     INTEGER NOT NULL,
    decision     TEXT    NOT NULL CHECK (decision IN ('pending', 'approved', 'rejected')),
    by           TEXT    NOT NULL,
    comment      TEXT    NOT NULL,
    decided_ms   INTEGER
) STRICT;

CREATE INDEX handoffs_by_decision ON handoffs (decision, seq);
CREATE INDEX handoffs_by_user ON handoffs (user);
CREATE INDEX handoffs_by_conversation ON handoffs (conversation);
CREATE INDEX handoffs_decided ON handoffs (decided_ms) WHERE decided_ms IS NOT NULL;

CREATE TABLE memories (
    seq   INTEGER PRIMARY KEY,
    bot   TEXT    NOT NULL,
    owner TEXT    NOT NULL, -- empty: the bot as a whole
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (bot, owner, key)
) STRICT;

CREATE INDEX memories_by_age ON memories (bot, owner, at_ms, seq);
CREATE INDEX memories_by_owner ON memories (owner) WHERE owner <> '';

PRAGMA user_version = 7;
