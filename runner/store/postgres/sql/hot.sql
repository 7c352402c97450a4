-- What each message needs, for many at once. The last column of what writes is the transaction's number: with it a
-- daemon whose connection broke can ask later whether it was committed.

-- name: begin
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: heartbeat
SELECT 1;

-- name: transaction_fate
SELECT pg_xact_status($1::text::xid8);

-- ── lanes ─────────────────────────────────────────────────────────────────────────────────────────────────
-- name: lock_lanes
SELECT asked.lane, pg_try_advisory_lock(hashtextextended(asked.lane, 0)) FROM unnest($1::text[]) AS asked (lane);

-- name: unlock_lanes
SELECT pg_advisory_unlock(hashtextextended(asked.lane, 0)) FROM unnest($1::text[]) AS asked (lane);

-- name: end_old_session
-- Of our own that the server believes alive: it holds our lanes.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND backend_start = $2 AND pid <> pg_backend_pid();

-- name: session
-- Who we are to the server.
SELECT s.pid, s.backend_start FROM pg_stat_activity AS s WHERE s.pid = pg_backend_pid();

-- name: heads
SELECT asked.lane, (
    SELECT min(i.id) FROM inbox AS i WHERE i.lane = asked.lane AND i.finished_ms IS NULL
)
FROM unnest($1::text[]) AS asked (lane);

-- name: foreign_rows
-- Turns of ours (or parts of them) that another daemon held money for after they were ours.
SELECT asked.lane FROM unnest($1::text[], $2::text[], $4::bigint[]) AS asked (lane, turn, since)
WHERE EXISTS (
    SELECT 1 FROM ledger AS l
    WHERE l.seq > asked.since AND l.daemon IS DISTINCT FROM $3::integer
      AND (l.turn = asked.turn OR starts_with(l.turn, asked.turn || '.'))
);

-- ── messages in ───────────────────────────────────────────────────────────────────────────────────────────
-- name: accept
-- Numbers in the order of arrival, rows in the order of their events: two daemons never wait for one another.
WITH asked AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]
    ) WITH ORDINALITY AS a (bot, channel, account, event_id, lane, payload, at_ms, place)
), known AS (
    SELECT a.place, i.id, i.finished_ms IS NOT NULL AS finished
    FROM asked AS a
    JOIN inbox AS i USING (bot, channel, account, event_id)
), numbered AS (
    SELECT nextval('inbox_id_seq') AS id, fresh.*
    FROM (
        SELECT a.* FROM asked AS a
        WHERE NOT EXISTS (SELECT 1 FROM known AS k WHERE k.place = a.place)
        ORDER BY a.place
        OFFSET 0
    ) AS fresh
), added AS (
    INSERT INTO inbox (id, bot, channel, account, event_id, lane, payload, accepted_ms)
    SELECT n.id, n.bot, n.channel, n.account, n.event_id, n.lane, n.payload, n.at_ms
    FROM numbered AS n
    ORDER BY n.bot, n.channel, n.account, n.event_id
    ON CONFLICT (bot, channel, account, event_id) DO NOTHING
    RETURNING id
)
SELECT k.place, k.id, false, k.finished, NULL::text FROM known AS k
UNION ALL
SELECT n.place, n.id, true, false, pg_current_xact_id()::text FROM numbered AS n JOIN added USING (id);

-- name: seen
SELECT a.place, i.id, i.finished_ms IS NOT NULL
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    WITH ORDINALITY AS a (bot, channel, account, event_id, place)
JOIN inbox AS i USING (bot, channel, account, event_id);

-- name: waiting_lanes
-- A lane is due when its oldest open message is. Of each bot no more than $6, then the bots by turns.
WITH held AS MATERIALIZED (
    SELECT (l.classid::bigint << 32) | l.objid::bigint AS key
    FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
)
SELECT found.lane, found.round
FROM (SELECT DISTINCT bot FROM unnest($1::text[]) AS given (bot)) AS asked
CROSS JOIN LATERAL (
    SELECT head.lane, head.id, row_number() OVER (ORDER BY head.id) AS round
    FROM inbox AS head
    WHERE head.bot = asked.bot AND head.finished_ms IS NULL AND (head.due_ms <= $4 OR head.due_ms > $5)
      AND head.lane <> ALL ($2::text[])
      AND NOT EXISTS (
          SELECT 1 FROM inbox AS older
          WHERE older.lane = head.lane AND older.finished_ms IS NULL AND older.id < head.id
      )
      AND head.lane_key NOT IN (SELECT held.key FROM held)
    ORDER BY head.id
    LIMIT $6
) AS found
ORDER BY found.round, found.id
LIMIT $3;

-- name: next
-- With how far the ledger's numbers are: rows of the turn that others write later tell that it is theirs.
SELECT
    asked.place, (SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM ledger_seq_seq AS s),
    head.id, head.bot, head.channel, head.payload, head.accepted_ms,
    (SELECT count(*) FROM ledger WHERE ledger.turn = 't' || head.id),
    ARRAY(SELECT s.number FROM steps AS s WHERE s.turn = 't' || head.id ORDER BY s.number),
    ARRAY(SELECT s.payload FROM steps AS s WHERE s.turn = 't' || head.id ORDER BY s.number),
    ARRAY(
        SELECT m.payload FROM messages AS m
        WHERE m.conversation = latest.id AND m.seq >= latest.first_seq ORDER BY m.seq
    ),
    latest.id, latest.started_ms, latest.last_ms, latest.first_seq, latest.next_seq, latest.tier, latest.head,
    latest.prepared_first_seq, latest.prepared_head
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS asked (lane, now_ms, too_late_ms, place)
CROSS JOIN LATERAL (
    SELECT i.id, i.bot, i.channel, i.payload, i.accepted_ms, i.due_ms
    FROM inbox AS i
    WHERE i.lane = asked.lane AND i.finished_ms IS NULL
    ORDER BY i.id
    LIMIT 1
) AS head
LEFT JOIN LATERAL (
    SELECT c.* FROM conversations AS c WHERE c.lane = asked.lane ORDER BY c.seq DESC LIMIT 1
) AS latest ON true
WHERE head.due_ms <= asked.now_ms OR head.due_ms > asked.too_late_ms;

-- name: steps
SELECT
    asked.place,
    (SELECT count(*) FROM ledger WHERE ledger.turn = asked.turn),
    ARRAY(SELECT s.number FROM steps AS s WHERE s.turn = asked.turn ORDER BY s.number),
    ARRAY(SELECT s.payload FROM steps AS s WHERE s.turn = asked.turn ORDER BY s.number)
FROM unnest($1::text[]) WITH ORDINALITY AS asked (turn, place);

-- name: postpone
UPDATE inbox SET due_ms = $2 WHERE id = $1 AND coalesce(finished_ms, -1) = -1;

-- ── turns ─────────────────────────────────────────────────────────────────────────────────────────────────
-- name: save_steps
INSERT INTO steps (turn, number, payload)
SELECT s.turn, s.number, s.payload
FROM unnest($1::text[], $2::integer[], $3::text[]) AS s (turn, number, payload)
ORDER BY s.turn, s.number
ON CONFLICT DO NOTHING
RETURNING turn, number, pg_current_xact_id()::text;

-- name: finish_messages
-- With the conversations as they are stored, ours until the transaction ends. That it is open is asked in words that
-- no partial index answers: each message is found by its number, however many wait.
WITH done AS (
    UPDATE inbox SET finished_ms = t.at_ms
    FROM unnest($1::bigint[], $2::bigint[], $3::text[])
        WITH ORDINALITY AS t (inbox_id, at_ms, conversation, place)
    WHERE inbox.id = t.inbox_id AND coalesce(inbox.finished_ms, -1) = -1
    RETURNING t.place, t.conversation, inbox.accepted_ms
)
SELECT
    done.place, done.accepted_ms, c.id, c.started_ms, c.last_ms, c.first_seq, c.next_seq, c.tier, c.head,
    c.prepared_first_seq, c.prepared_head, pg_current_xact_id()::text
FROM done
LEFT JOIN LATERAL (SELECT * FROM conversations AS k WHERE k.id = done.conversation FOR UPDATE) AS c ON true;

-- name: end_turns
-- A conversation's last three values are how many messages are added.
WITH talked AS (
    INSERT INTO conversations AS c (
        id, lane, bot, channel, "user", started_ms, last_ms, first_seq, tier, head, prepared_first_seq,
        prepared_head, next_seq, messages, turns
    )
    SELECT t.*, t.added, 1
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::text[], $10::text[], $11::bigint[], $12::text[], $13::bigint[]
    ) AS t (
        id, lane, bot, channel, "user", started_ms, last_ms, first_seq, tier, head, prepared_first_seq,
        prepared_head, added
    )
    ON CONFLICT (id) DO UPDATE SET
        last_ms = excluded.last_ms, first_seq = excluded.first_seq, tier = excluded.tier, head = excluded.head,
        prepared_first_seq = excluded.prepared_first_seq, prepared_head = excluded.prepared_head,
        next_seq = c.next_seq + excluded.next_seq, messages = c.messages + excluded.messages, turns = c.turns + 1
), said AS (
    INSERT INTO messages (conversation, seq, payload)
    SELECT * FROM unnest($14::text[], $15::bigint[], $16::text[])
)
INSERT INTO turns (turn, bot, channel, conversation, "user", stop_reason, at_ms, report, first_seq, messages)
SELECT t.turn, t.bot, t.channel, t.conversation, t."user", t.stop_reason, t.at_ms, t.report, t.first_seq, t.added
FROM unnest(
    $17::text[], $3::text[], $4::text[], $1::text[], $5::text[], $18::text[], $19::bigint[], $20::text[],
    $21::bigint[], $13::bigint[]
) AS t (turn, bot, channel, conversation, "user", stop_reason, at_ms, report, first_seq, added);

-- name: count_turns
-- A user counts once a day; rows in the order of their keys.
WITH fresh AS (
    INSERT INTO active_users (day, bot, platform, "user")
    SELECT DISTINCT a.day, a.bot, a.platform, a."user"
    FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS a (day, bot, platform, "user")
    ORDER BY 1, 2, 3, 4
    ON CONFLICT DO NOTHING
    RETURNING day, bot, platform
)
INSERT INTO traffic_days AS d (bot, day, platform, received, sent, conversations, users, last_ms)
SELECT
    t.bot, t.day, t.platform, t.received, t.sent, t.begun,
    (SELECT count(*) FROM fresh AS f WHERE f.bot = t.bot AND f.day = t.day AND f.platform = t.platform), t.last_ms
FROM unnest(
    $5::integer[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[]
) AS t (day, bot, platform, received, sent, begun, last_ms)
ORDER BY t.bot, t.day, t.platform
ON CONFLICT (bot, day, platform) DO UPDATE SET
    received = d.received + excluded.received, sent = d.sent + excluded.sent,
    conversations = d.conversations + excluded.conversations, users = d.users + excluded.users,
    last_ms = greatest(d.last_ms, excluded.last_ms);

-- ── messages out ──────────────────────────────────────────────────────────────────────────────────────────
-- name: add_outgoing
-- What is to go at once waits all the same where an earlier part of its place is not through.
INSERT INTO outbox (inbox_id, bot, channel, place, payload, state, tries, daemon)
SELECT
    p.inbox_id, p.bot, p.channel, p.place, p.payload, filed.state,
    CASE WHEN filed.state = 'sending' THEN 1 ELSE 0 END, CASE WHEN filed.state = 'sending' THEN $7::integer END
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS p (inbox_id, bot, channel, place, payload, state, number)
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN p.state = 'sending' AND (
            SELECT o.id FROM outbox AS o
            WHERE o.bot = p.bot AND o.channel = p.channel AND o.place = p.place
              AND o.state IN ('pending', 'sending')
            LIMIT 1
        ) IS NOT NULL THEN 'pending'
        ELSE p.state
    END AS state
    OFFSET 0 -- once for each part
) AS filed
ORDER BY p.number
RETURNING id, state;

-- name: sends_to_begin
-- Whether an earlier part of its place is not through: of another message, or not among those that begin together.
SELECT o.id, o.state, EXISTS (
    SELECT 1 FROM outbox AS e
    WHERE e.bot = o.bot AND e.channel = o.channel AND e.place = o.place AND e.id < o.id
      AND e.state IN ('pending', 'sending') AND e.id <> ALL ($1::bigint[])
)
FROM outbox AS o
WHERE o.id = ANY ($1::bigint[])
ORDER BY o.id
FOR UPDATE OF o;

-- name: begin_sends
UPDATE outbox SET state = 'sending', tries = tries + 1, daemon = $2::integer
WHERE id = ANY ($1::bigint[])
RETURNING pg_current_xact_id()::text;

-- name: end_sends
-- Not what another daemon is sending: it took the part over while we hung.
UPDATE outbox SET state = e.state, why = e.why, due_ms = e.due_ms, daemon = NULL
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS e (id, state, why, due_ms)
WHERE outbox.id = e.id AND outbox.state || ' ' || e.state = ANY ($5::text[])
  AND (outbox.state <> 'sending' OR coalesce(outbox.daemon, $6::integer) = $6::integer)
RETURNING outbox.id, pg_current_xact_id()::text;

-- name: sends_of_ours
-- A session bears the name of its daemon.
SELECT id FROM outbox
WHERE id = ANY ($1::bigint[]) AND state || '' = 'sending'
  AND 'botrunner/' || daemon = current_setting('application_name');

-- name: outbox_states
SELECT id, state FROM outbox WHERE id = ANY ($1::bigint[]);
