-- Messages and parts of replies, as people and fallbacks look for them.

-- name: recent
-- However old a store is, only the channel's latest messages are looked at. An errand is no platform's message.
SELECT payload FROM inbox
WHERE id IN (
    SELECT max(id) FROM (
        SELECT id, lane FROM inbox
        WHERE bot = $1 AND channel = $2 AND account <> '~errand'
        ORDER BY id DESC
        LIMIT $3
    ) AS latest
    GROUP BY lane
    ORDER BY max(id) DESC
    LIMIT $4
)
ORDER BY id;

-- name: latest_message
SELECT accepted_ms FROM inbox ORDER BY id DESC LIMIT 1;

-- name: waiting_by_bot
-- With the time of the oldest: ids grow as messages are accepted.
SELECT waiting.bot, waiting.number, inbox.accepted_ms
FROM (
    SELECT bot, count(*) AS number, min(id) AS oldest FROM inbox WHERE finished_ms IS NULL GROUP BY bot
) AS waiting
JOIN inbox ON inbox.id = waiting.oldest;

-- name: unsent
SELECT id, inbox_id, bot, channel, place, payload, state, due_ms, tries, crashes, why FROM outbox
WHERE state = $1 AND state <> 'sent' AND id > $2 ORDER BY id LIMIT $3;

-- name: sent
SELECT id, inbox_id, bot, channel, place, payload, state, due_ms, tries, crashes, why FROM outbox
WHERE state = 'sent' AND id > $1 ORDER BY id LIMIT $2;

-- name: answers
SELECT id, inbox_id, bot, channel, place, payload, state, due_ms, tries, crashes, why FROM outbox
WHERE inbox_id = $1 ORDER BY id;

-- name: unsent_by_state
SELECT state, count(*) FROM outbox WHERE state <> 'sent' GROUP BY state;

-- name: possibly_doubled
SELECT count(*) FROM outbox WHERE crashes > 0;

-- name: outbox_state_to_change
SELECT state FROM outbox WHERE id = $1 FOR UPDATE;

-- name: send_by_hand
UPDATE outbox SET state = 'pending', why = '', due_ms = 0, daemon = NULL WHERE id = $1;
