-- name: accept
INSERT INTO inbox (bot, channel, account, event_id, lane, payload, accepted_ms)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (bot, channel, account, event_id) DO NOTHING;

-- name: seen
SELECT id, finished_ms IS NOT NULL FROM inbox
WHERE bot = ? AND channel = ? AND account = ? AND event_id = ?;

-- name: recent
-- However old a store is, only the channel's latest messages are looked at. An errand is no platform's message.
SELECT payload FROM inbox
WHERE id IN (
    SELECT max(id) FROM (
        SELECT id, lane FROM inbox INDEXED BY inbox_by_channel
        WHERE bot = :bot AND channel = :channel AND account <> '~errand'
        ORDER BY id DESC
        LIMIT :looked_at
    )
    GROUP BY lane
    ORDER BY max(id) DESC
    LIMIT :limit
)
ORDER BY id;

-- name: waiting_lanes
-- A lane is due when its oldest open message is. Of each bot no more than :each, then the bots by turns.
SELECT lane, round FROM (
    SELECT head.id, head.lane, row_number() OVER (PARTITION BY head.bot ORDER BY head.id) AS round
    FROM (SELECT DISTINCT value AS bot FROM json_each(:bots)) AS asked
    CROSS JOIN inbox AS head
    WHERE head.id IN (
        SELECT waiting.id FROM inbox AS waiting INDEXED BY inbox_open_of_bot
        WHERE waiting.bot = asked.bot AND waiting.finished_ms IS NULL
          AND (waiting.due_ms <= :now_ms OR waiting.due_ms > :too_late_ms)
          AND waiting.lane NOT IN (SELECT value FROM json_each(:exclude))
          AND NOT EXISTS (
              SELECT 1 FROM inbox AS older
              WHERE older.lane = waiting.lane AND older.finished_ms IS NULL AND older.id < waiting.id
          )
        ORDER BY waiting.id
        LIMIT :each
    )
)
ORDER BY round, id
LIMIT :limit;

-- name: head
SELECT head.due_ms, head.id, head.bot, head.channel, head.payload, head.accepted_ms,
       (SELECT count(*) FROM ledger WHERE ledger.turn = 't' || head.id),
       latest.id, latest.started_ms, latest.last_ms, latest.first_seq, latest.next_seq,
       latest.tier, latest.head, latest.prepared_first_seq, latest.prepared_head
FROM inbox AS head
LEFT JOIN conversations AS latest
    ON latest.seq = (SELECT max(seq) FROM conversations WHERE conversations.lane = head.lane)
WHERE head.lane = ? AND head.finished_ms IS NULL
ORDER BY head.id
LIMIT 1;

-- name: postpone
UPDATE inbox SET due_ms = ? WHERE id = ? AND finished_ms IS NULL;

-- name: finish_message
UPDATE inbox SET finished_ms = ? WHERE id = ? AND finished_ms IS NULL RETURNING accepted_ms;

-- name: waiting_by_bot
-- With the time of the oldest: ids grow as messages are accepted.
SELECT waiting.bot, waiting.number, inbox.accepted_ms
FROM (
    SELECT bot, count(*) AS number, min(id) AS oldest
    FROM inbox INDEXED BY inbox_open WHERE finished_ms IS NULL GROUP BY bot
) AS waiting
CROSS JOIN inbox ON inbox.id = waiting.oldest;
