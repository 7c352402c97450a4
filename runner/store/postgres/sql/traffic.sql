-- Bots, and what went in and out by day, as people read it.

-- name: define_bots
-- The time moves only where the digest is another one.
INSERT INTO bots (bot, digest, created_ms, updated_ms)
SELECT given.bot, given.digest, $3, $3 FROM unnest($1::text[], $2::text[]) AS given (bot, digest)
ORDER BY given.bot
ON CONFLICT (bot) DO UPDATE SET digest = excluded.digest, updated_ms = excluded.updated_ms
WHERE bots.digest <> excluded.digest;

-- name: bots
SELECT
    asked.bot, coalesce(max(bots.created_ms), 0), coalesce(max(bots.updated_ms), 0),
    max(traffic_days.last_ms), (coalesce(sum(traffic_days.conversations), 0))::bigint,
    (coalesce(sum(traffic_days.received + traffic_days.sent), 0))::bigint
FROM unnest($1::text[]) AS asked (bot)
LEFT JOIN bots ON bots.bot = asked.bot
LEFT JOIN traffic_days ON traffic_days.bot = asked.bot
GROUP BY asked.bot;

-- name: traffic
SELECT day, bot, sum(received)::bigint, sum(sent)::bigint, sum(users)::bigint FROM traffic_days
WHERE day BETWEEN $1 AND $2
GROUP BY day, bot;

-- name: traffic_of_bot
SELECT day, bot, sum(received)::bigint, sum(sent)::bigint, sum(users)::bigint FROM traffic_days
WHERE bot = $3 AND day BETWEEN $1 AND $2
GROUP BY day, bot;

-- name: unique_users
SELECT count(*) FROM (
    SELECT DISTINCT platform, "user" FROM active_users WHERE day BETWEEN $1 AND $2
) AS found;

-- name: unique_users_of_bot
-- The days one by one: of each, the bot's users stand together.
SELECT count(*) FROM (
    SELECT DISTINCT active.platform, active."user"
    FROM generate_series($1::integer, $2::integer) AS days (day)
    JOIN active_users AS active ON active.day = days.day AND active.bot = $3
) AS found;
