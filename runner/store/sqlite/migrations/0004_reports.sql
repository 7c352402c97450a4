-- Version 4. What people look at: sums of the ledger by day, traffic by day, whose turn said what.
-- A day is a number: whole days since 1970-01-01, UTC.

-- ── sums of the ledger ────────────────────────────────────────────────────────────────────────────────────
-- What is called for what: few, so a year of days is added up by number and named afterwards.
CREATE TABLE usage_keys (
    id       INTEGER PRIMARY KEY,
    bot      TEXT NOT NULL,
    platform TEXT NOT NULL,
    feature  TEXT NOT NULL,
    task     TEXT NOT NULL,
    provider TEXT NOT NULL,
    model    TEXT NOT NULL,
    route    TEXT NOT NULL,
    UNIQUE (bot, platform, feature, task, provider, model, route)
) STRICT;

CREATE TABLE usage_days (
    key                   INTEGER NOT NULL,
    day                   INTEGER NOT NULL,
    cost                  INTEGER NOT NULL, -- of settled rows
    unknown               INTEGER NOT NULL, -- of rows of unknown fate
    calls                 INTEGER NOT NULL,
    retries               INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    PRIMARY KEY (key, day)
) STRICT, WITHOUT ROWID;

-- The same once more by user, for those who ask for users. They are many: sorted by number, they take half as long.
CREATE TABLE usage_users (
    id   INTEGER PRIMARY KEY,
    user TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE usage_user_days (
    key                   INTEGER NOT NULL,
    day                   INTEGER NOT NULL,
    user                  INTEGER NOT NULL,
    cost                  INTEGER NOT NULL,
    unknown               INTEGER NOT NULL,
    calls                 INTEGER NOT NULL,
    retries               INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    PRIMARY KEY (key, day, user)
) STRICT, WITHOUT ROWID;

-- What a conversation has cost; it goes when the conversation does.
CREATE TABLE conversation_sums (
    conversation TEXT    PRIMARY KEY,
    cost         INTEGER NOT NULL,
    unknown      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a row of the ledger adds to the sums, said once: for the rows that are there and for those to come.
CREATE VIEW ended_rows AS
SELECT
    seq, bot, platform, feature, task, provider, model, route, time_ms / 86400000 AS day, user, conversation,
    iif(state = 'settled', cost, 0) AS cost, iif(state = 'unknown', cost, 0) AS unknown,
    corrects = '' AS calls, corrects = '' AND number > 1 AS retries,
    input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens
FROM ledger
WHERE state <> 'held';

INSERT INTO usage_keys (bot, platform, feature, task, provider, model, route)
SELECT DISTINCT bot, platform, feature, task, provider, model, route FROM ended_rows;

INSERT INTO usage_users (user) SELECT DISTINCT user FROM ended_rows;

INSERT INTO usage_user_days
SELECT
    (
        SELECT id FROM usage_keys AS k
        WHERE k.bot = e.bot AND k.platform = e.platform AND k.feature = e.feature AND k.task = e.task
          AND k.provider = e.provider AND k.model = e.model AND k.route = e.route
    ),
    day, (SELECT id FROM usage_users WHERE usage_users.user = e.user),
    sum(cost), sum(unknown), sum(calls), sum(retries), sum(input_tokens), sum(output_tokens),
    sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(reasoning_tokens)
FROM ended_rows AS e
GROUP BY 1, 2, 3;

INSERT INTO usage_days
SELECT
    key, day, sum(cost), sum(unknown), sum(calls), sum(retries), sum(input_tokens), sum(output_tokens),
    sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(reasoning_tokens)
FROM usage_user_days
GROUP BY key, day;

INSERT INTO conversation_sums
SELECT conversation, sum(cost), sum(unknown) FROM ended_rows
WHERE conversation IN (SELECT id FROM conversations)
GROUP BY conversation;

-- Whoever ends a row, or adds one that has ended, adds it to the sums in the same breath: there is no other way.
CREATE TRIGGER ledger_row_ends AFTER UPDATE OF state ON ledger WHEN NEW.state <> 'held'
BEGIN
    INSERT INTO ended_rows SELECT * FROM ended_rows WHERE seq = NEW.seq;
END;

CREATE TRIGGER ledger_row_comes_ended AFTER INSERT ON ledger WHEN NEW.state <> 'held'
BEGIN
    INSERT INTO ended_rows SELECT * FROM ended_rows WHERE seq = NEW.seq;
END;

CREATE TRIGGER ended_row_is_summed INSTEAD OF INSERT ON ended_rows
BEGIN
    INSERT INTO usage_keys (bot, platform, feature, task, provider, model, route)
    VALUES (NEW.bot, NEW.platform, NEW.feature, NEW.task, NEW.provider, NEW.model, NEW.route)
    ON CONFLICT DO NOTHING;

    INSERT INTO usage_users (user) VALUES (NEW.user) ON CONFLICT DO NOTHING;

    INSERT INTO usage_days
    SELECT
        id, NEW.day, NEW.cost, NEW.unknown, NEW.calls, NEW.retries, NEW.input_tokens, NEW.output_tokens,
        NEW.cache_read_tokens, NEW.cache_write_5m_tokens, NEW.cache_write_1h_tokens, NEW.reasoning_tokens
    FROM usage_keys
    WHERE bot = NEW.bot AND platform = NEW.platform AND feature = NEW.feature AND task = NEW.task
      AND provider = NEW.provider AND model = NEW.model AND route = NEW.route
    ON CONFLICT (key, day) DO UPDATE SET
        cost = cost + excluded.cost, unknown = unknown + excluded.unknown,
        calls = calls + excluded.calls, retries = retries + excluded.retries,
        input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
        cache_write_5m_tokens = cache_write_5m_tokens + excluded.cache_write_5m_tokens,
        cache_write_1h_tokens = cache_write_1h_tokens + excluded.cache_write_1h_tokens,
        reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens;

    INSERT INTO usage_user_days
    SELECT
        usage_keys.id, NEW.day, usage_users.id, NEW.cost, NEW.unknown, NEW.calls, NEW.retries, NEW.input_tokens,
        NEW.output_tokens, NEW.cache_read_tokens, NEW.cache_write_5m_tokens, NEW.cache_write_1h_tokens,
        NEW.reasoning_tokens
    FROM usage_keys CROSS JOIN usage_users ON usage_users.user = NEW.user
    WHERE bot = NEW.bot AND platform = NEW.platform AND feature = NEW.feature AND task = NEW.task
      AND provider = NEW.provider AND model = NEW.model AND route = NEW.route
    ON CONFLICT (key, day, user) DO UPDATE SET
        cost = cost + excluded.cost, unknown = unknown + excluded.unknown,
        calls = calls + excluded.calls, retries = retries + excluded.retries,
        input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
        cache_write_5m_tokens = cache_write_5m_tokens + excluded.cache_write_5m_tokens,
        cache_write_1h_tokens = cache_write_1h_tokens + excluded.cache_write_1h_tokens,
        reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens;

    INSERT INTO conversation_sums VALUES (NEW.conversation, NEW.cost, NEW.unknown)
    ON CONFLICT (conversation) DO UPDATE SET
        cost = cost + excluded.cost, unknown = unknown + excluded.unknown;
END;

-- ── traffic ───────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE bots (
    bot        TEXT    PRIMARY KEY,
    digest     TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE traffic_days (
    bot           TEXT    NOT NULL,
    day           INTEGER NOT NULL,
    platform      TEXT    NOT NULL,
    received      INTEGER NOT NULL,
    sent          INTEGER NOT NULL,
    conversations INTEGER NOT NULL, -- begun
    users         INTEGER NOT NULL, -- different ones, that day
    last_ms       INTEGER NOT NULL, -- when its latest message was accepted
    PRIMARY KEY (bot, day, platform)
) STRICT, WITHOUT ROWID;

CREATE TABLE active_users (
    day      INTEGER NOT NULL,
    bot      TEXT    NOT NULL,
    platform TEXT    NOT NULL,
    user     TEXT    NOT NULL,
    PRIMARY KEY (day, bot, platform, user)
) STRICT, WITHOUT ROWID;

-- Of what was pruned already only the turn is left: it had one reply at the least.
CREATE VIEW earlier_turns AS
SELECT
    turns.bot, turns.user,
    coalesce(inbox.accepted_ms, turns.at_ms) AS at_ms,
    coalesce(inbox.accepted_ms, turns.at_ms) / 86400000 AS day,
    coalesce((SELECT platform FROM ledger WHERE ledger.turn = turns.turn LIMIT 1), turns.channel) AS platform,
    iif(inbox.id IS NULL, 1, (SELECT count(*) FROM outbox WHERE outbox.inbox_id = inbox.id)) AS parts,
    turns.rowid = (SELECT min(rowid) FROM turns AS t WHERE t.conversation = turns.conversation) AS begins
FROM turns
LEFT JOIN inbox ON inbox.id = CAST(substr(turns.turn, 2) AS INTEGER);

INSERT INTO active_users
SELECT DISTINCT day, bot, platform, user FROM earlier_turns;

INSERT INTO traffic_days
SELECT bot, day, platform, count(*), sum(parts), sum(begins), count(DISTINCT user), max(at_ms)
FROM earlier_turns
GROUP BY bot, day, platform;

DROP VIEW earlier_turns;

-- ── conversations ─────────────────────────────────────────────────────────────────────────────────────────
ALTER TABLE turns ADD COLUMN first_seq INTEGER NOT NULL DEFAULT 0; -- of its messages, where it has any
ALTER TABLE turns ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;

CREATE INDEX turns_by_user ON turns (user, conversation);

ALTER TABLE conversations ADD COLUMN user TEXT NOT NULL DEFAULT ''; -- who began it
ALTER TABLE conversations ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;

UPDATE conversations SET
    user = coalesce((SELECT user FROM turns WHERE conversation = conversations.id ORDER BY rowid LIMIT 1), ''),
    turns = (SELECT count(*) FROM turns WHERE conversation = conversations.id),
    messages = (SELECT count(*) FROM messages WHERE conversation = conversations.id);

-- A remembered turn's messages begin with what a person wrote, and only they do: the n-th such message is the
-- n-th remembered turn's. Where the numbers do not agree, messages stay without a turn.
CREATE TEMP TABLE said AS
SELECT
    conversation, seq,
    row_number() OVER (PARTITION BY conversation ORDER BY seq) AS number,
    lead(seq) OVER (PARTITION BY conversation ORDER BY seq) AS next_seq,
    count(*) OVER (PARTITION BY conversation) AS many
FROM messages
WHERE CASE WHEN json_valid(payload) THEN payload ->> 'role' = 'user' ELSE 0 END;

CREATE INDEX temp.said_by_number ON said (conversation, number);

UPDATE turns SET first_seq = said.seq, messages = coalesce(said.next_seq, conversations.next_seq) - said.seq
FROM (
    SELECT
        turn, conversation,
        row_number() OVER (PARTITION BY conversation ORDER BY rowid) AS number,
        count(*) OVER (PARTITION BY conversation) AS many
    FROM turns
    WHERE stop_reason NOT IN ('budget', 'busy', 'unpriced', 'command', 'unreadable')
) AS remembered
CROSS JOIN said ON said.conversation = remembered.conversation AND said.number = remembered.number
CROSS JOIN conversations ON conversations.id = remembered.conversation
WHERE turns.turn = remembered.turn AND said.many = remembered.many;

DROP TABLE temp.said;

DROP INDEX conversations_by_age;
CREATE INDEX conversations_by_age ON conversations (last_ms, id);
CREATE INDEX conversations_by_bot ON conversations (bot, last_ms, id);

PRAGMA user_version = 4;
