-- Version 1. Times are Unix milliseconds, amounts are pico-dollars, payloads are JSON that nobody here reads.

PRAGMA application_id = 1651471474; -- "botr"

CREATE TABLE migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    applied_ms INTEGER NOT NULL
) STRICT;

-- ── messages in ───────────────────────────────────────────────────────────────────────────────────────────
-- AUTOINCREMENT: a turn's id is made from the row's id, so an id must not come back after a prune.
CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    bot         TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    lane        TEXT    NOT NULL,
    payload     TEXT    NOT NULL,
    accepted_ms INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL DEFAULT 0,
    finished_ms INTEGER,
    UNIQUE (bot, channel, account, event_id)
) STRICT;

CREATE INDEX inbox_open ON inbox (lane, id, bot, due_ms) WHERE finished_ms IS NULL;
CREATE INDEX inbox_open_by_age ON inbox (id) WHERE finished_ms IS NULL;
CREATE INDEX inbox_finished ON inbox (finished_ms) WHERE finished_ms IS NOT NULL;

-- ── conversations and turns ───────────────────────────────────────────────────────────────────────────────
CREATE TABLE conversations (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    lane       TEXT    NOT NULL,
    bot        TEXT    NOT NULL,
    channel    TEXT    NOT NULL,
    started_ms INTEGER NOT NULL,
    last_ms    INTEGER NOT NULL,
    first_seq  INTEGER NOT NULL,
    next_seq   INTEGER NOT NULL
) STRICT;

CREATE INDEX conversations_by_lane ON conversations (lane, seq);
CREATE INDEX conversations_by_age ON conversations (last_ms);

CREATE TABLE messages (
    conversation TEXT    NOT NULL REFERENCES conversations (id),
    seq          INTEGER NOT NULL,
    payload      TEXT    NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE steps (
    turn    TEXT    NOT NULL,
    number  INTEGER NOT NULL,
    payload TEXT    NOT NULL,
    PRIMARY KEY (turn, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE turns (
    turn         TEXT    PRIMARY KEY,
    bot          TEXT    NOT NULL,
    channel      TEXT    NOT NULL,
    conversation TEXT    NOT NULL REFERENCES conversations (id),
    user         TEXT    NOT NULL,
    stop_reason  TEXT    NOT NULL,
    at_ms        INTEGER NOT NULL,
    report       TEXT    NOT NULL
) STRICT;

CREATE INDEX turns_by_conversation ON turns (conversation);

-- ── messages out ──────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    inbox_id INTEGER NOT NULL REFERENCES inbox (id),
    bot      TEXT    NOT NULL,
    channel  TEXT    NOT NULL,
    place    TEXT    NOT NULL,
    payload  TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'rejected', 'unknown')),
    due_ms   INTEGER NOT NULL DEFAULT 0,
    tries    INTEGER NOT NULL DEFAULT 0,
    crashes  INTEGER NOT NULL DEFAULT 0,
    why      TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX outbox_unsent ON outbox (state, id) WHERE state <> 'sent';
CREATE INDEX outbox_by_message ON outbox (inbox_id);
CREATE INDEX outbox_doubled ON outbox (id) WHERE crashes > 0;

-- ── money ─────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE scopes (
    name    TEXT    PRIMARY KEY,
    settled INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0,
    held    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    seq                   INTEGER PRIMARY KEY,
    id                    TEXT    NOT NULL UNIQUE,
    time_ms               INTEGER NOT NULL,
    bot                   TEXT    NOT NULL,
    platform              TEXT    NOT NULL,
    channel               TEXT    NOT NULL,
    conversation          TEXT    NOT NULL,
    user                  TEXT    NOT NULL,
    turn                  TEXT    NOT NULL,
    provider              TEXT    NOT NULL,
    model                 TEXT    NOT NULL,
    price_version         TEXT    NOT NULL,
    feature               TEXT    NOT NULL,
    task                  TEXT    NOT NULL,
    route                 TEXT    NOT NULL,
    route_reason          TEXT    NOT NULL,
    billing_mode          TEXT    NOT NULL,
    number                INTEGER NOT NULL,
    iteration             INTEGER NOT NULL,
    scopes                TEXT    NOT NULL, -- a JSON list of names
    state                 TEXT    NOT NULL CHECK (state IN ('held', 'settled', 'released', 'unknown')),
    hold                  INTEGER NOT NULL,
    cost                  INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL DEFAULT 0,
    output_tokens         INTEGER NOT NULL DEFAULT 0,
    cache_read_tokens     INTEGER NOT NULL DEFAULT 0,
    cache_write_5m_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens      INTEGER NOT NULL DEFAULT 0,
    request_id            TEXT    NOT NULL DEFAULT '',
    stop_reason           TEXT    NOT NULL DEFAULT '',
    latency_ms            INTEGER NOT NULL DEFAULT 0,
    why                   TEXT    NOT NULL DEFAULT '',
    corrects              TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX ledger_by_time ON ledger (time_ms);
CREATE INDEX ledger_by_turn ON ledger (turn);
CREATE INDEX ledger_held ON ledger (seq) WHERE state = 'held';

CREATE TRIGGER ledger_ends_once BEFORE UPDATE ON ledger WHEN OLD.state <> 'held'
BEGIN
    SELECT RAISE(ABORT, 'a ledger row that has ended is never changed');
END;

CREATE TRIGGER ledger_keeps_what_it_knew BEFORE UPDATE OF
    seq, id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version, feature,
    task, route, route_reason, billing_mode, number, iteration, scopes, hold, corrects
ON ledger
BEGIN
    SELECT RAISE(ABORT, 'what a ledger row was written with is never changed');
END;

CREATE TRIGGER ledger_forgets_nothing BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'a ledger row is never deleted');
END;

-- ── one holder ────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE leases (
    name     TEXT    PRIMARY KEY,
    holder   TEXT    NOT NULL, -- empty: let go
    epoch    INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
