-- name: add_outgoing
INSERT INTO outbox (inbox_id, bot, channel, place, payload, state, tries) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: outbox_state
SELECT state FROM outbox WHERE id = ?;

-- name: begin_sending
UPDATE outbox SET state = 'sending', tries = tries + 1 WHERE id = ? AND state = 'pending';

-- name: move_outgoing
UPDATE outbox SET state = ?, why = ?, due_ms = ? WHERE id = ?;

-- name: unsent
SELECT id, inbox_id, bot, channel, place, payload, state, due_ms, tries, crashes, why FROM outbox
WHERE state = ? AND state <> 'sent' AND id > ? ORDER BY id LIMIT ?;

-- name: sent
SELECT id, inbox_id, bot, channel, place, payload, state, due_ms, tries, crashes, why FROM outbox
WHERE state = 'sent' AND id > ? ORDER BY id LIMIT ?;

-- name: answers
SELECT id, inbox_id, bot, channel, place, payload, state, due_ms, tries, crashes, why FROM outbox
WHERE inbox_id = ? ORDER BY id;

-- name: give_up_sending
UPDATE outbox SET state = 'unknown', crashes = crashes + 1, why = ?
WHERE state = 'sending' AND state <> 'sent' AND crashes >= ? - 1;

-- name: send_again
UPDATE outbox SET state = 'pending', crashes = crashes + 1, due_ms = 0, why = ?
WHERE state = 'sending' AND state <> 'sent' AND crashes < ? - 1;

-- name: unsent_by_state
SELECT state, count(*) FROM outbox WHERE state <> 'sent' GROUP BY state;

-- name: possibly_doubled
SELECT count(*) FROM outbox WHERE crashes > 0;
