-- Bots, and what went in and out by day.

-- name: define_bot
-- The time moves only where the digest is another one.
INSERT INTO bots (bot, digest, created_ms, updated_ms) VALUES (:bot, :digest, :now_ms, :now_ms)
ON CONFLICT (bot) DO UPDATE SET digest = excluded.digest, updated_ms = excluded.updated_ms
WHERE digest <> excluded.digest;

-- name: add_active_user
INSERT INTO active_users (day, bot, platform, user) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: count_traffic
INSERT INTO traffic_days (bot, day, platform, received, sent, conversations, users, last_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (bot, day, platform) DO UPDATE SET
    received = received + excluded.received, sent = sent + excluded.sent,
    conversations = conversations + excluded.conversations, users = users + excluded.users,
    last_ms = max(last_ms, excluded.last_ms);

-- name: bots
SELECT
    asked.value, coalesce(bots.created_ms, 0), coalesce(bots.updated_ms, 0),
    max(traffic_days.last_ms), coalesce(sum(traffic_days.conversations), 0),
    coalesce(sum(traffic_days.received + traffic_days.sent), 0)
FROM json_each(:bots) AS asked
LEFT JOIN bots ON bots.bot = asked.value
LEFT JOIN traffic_days ON traffic_days.bot = asked.value
GROUP BY asked.value;

-- name: traffic
SELECT day, bot, sum(received), sum(sent), sum(users) FROM traffic_days
WHERE day BETWEEN :first_day AND :last_day
GROUP BY day, bot
ORDER BY day, bot;

-- name: traffic_of_bot
SELECT day, bot, sum(received), sum(sent), sum(users) FROM traffic_days
WHERE bot = :bot AND day BETWEEN :first_day AND :last_day
GROUP BY day
ORDER BY day;

-- name: unique_users
SELECT count(*) FROM (
    SELECT DISTINCT platform, user FROM active_users WHERE day BETWEEN :first_day AND :last_day
);

-- name: unique_users_of_bot
-- The days one by one: of each, the bot's users stand together.
WITH RECURSIVE days (day) AS (
    SELECT :first_day WHERE :first_day <= :last_day
    UNION ALL
    SELECT day + 1 FROM days WHERE day < :last_day
)
SELECT count(*) FROM (
    SELECT DISTINCT platform, user FROM days CROSS JOIN active_users USING (day) WHERE bot = :bot
);
