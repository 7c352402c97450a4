-- Version 3. Tokens beside money, what was paid in, models set aside, alerts.

ALTER TABLE ledger ADD COLUMN hold_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER ledger_keeps_its_hold BEFORE UPDATE OF hold_tokens ON ledger
BEGIN
    SELECT RAISE(ABORT, 'what a ledger row was written with is never changed');
END;

CREATE INDEX ledger_unknown ON ledger (time_ms) WHERE state = 'unknown';

CREATE TABLE deposits (
    key    TEXT    PRIMARY KEY,
    amount INTEGER NOT NULL CHECK (amount > 0),
    at_ms  INTEGER NOT NULL,
    note   TEXT    NOT NULL
) STRICT;

CREATE TRIGGER deposits_are_final BEFORE UPDATE ON deposits
BEGIN
    SELECT RAISE(ABORT, 'a deposit is never changed');
END;

CREATE TRIGGER deposits_stay BEFORE DELETE ON deposits
BEGIN
    SELECT RAISE(ABORT, 'a deposit is never deleted');
END;

CREATE TABLE quarantine (
    provider TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    attempt  TEXT    NOT NULL,
    held     INTEGER NOT NULL,
    cost     INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    scope   TEXT    NOT NULL,
    percent INTEGER NOT NULL,
    "limit" INTEGER NOT NULL,
    gone    INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,
    waits   INTEGER NOT NULL, -- 1: its webhook has not taken it yet
    tries   INTEGER NOT NULL DEFAULT 0,
    due_ms  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (scope, "limit", percent)
) STRICT;

CREATE INDEX alerts_waiting ON alerts (id) WHERE waits = 1;

PRAGMA user_version = 3;
