-- Sums by day. The keys come first, for they are few; the days of each stand together.

-- name: usage_keys
SELECT id, bot, feature, task, model, provider, route, platform FROM usage_keys WHERE :bot IS NULL OR bot = :bot;

-- name: usage_by_key
SELECT
    usage_keys.id, sum(cost), sum(unknown), sum(calls), sum(retries), sum(input_tokens), sum(output_tokens),
    sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(reasoning_tokens)
FROM usage_keys
CROSS JOIN usage_days ON usage_days.key = usage_keys.id
WHERE (:bot IS NULL OR bot = :bot) AND day >= :first_day AND day < :end_day
GROUP BY usage_keys.id;

-- name: usage_by_day
-- Each key has a number that says which group it is in.
SELECT
    numbers.value, day, '', sum(cost), sum(unknown), sum(calls), sum(retries), sum(input_tokens),
    sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(reasoning_tokens)
FROM json_each(:numbers) AS numbers
CROSS JOIN usage_days ON usage_days.key = CAST(numbers.key AS INTEGER)
WHERE day >= :first_day AND day < :end_day
GROUP BY numbers.value, day
ORDER BY sum(cost) DESC, sum(unknown) DESC
LIMIT :limit;

-- name: usage_by_user
SELECT
    numbers.value, iif(:by_day, day, 0), user, sum(cost), sum(unknown), sum(calls), sum(retries),
    sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
    sum(cache_write_1h_tokens), sum(reasoning_tokens)
FROM json_each(:numbers) AS numbers
CROSS JOIN usage_user_days ON usage_user_days.key = CAST(numbers.key AS INTEGER)
WHERE day >= :first_day AND day < :end_day
GROUP BY 1, 2, 3;

-- name: usage_by_dearest_users
-- Who is dear is found by the cost alone, which sorts less; then all groups of those are added up.
WITH dearest AS MATERIALIZED (
    SELECT user
    FROM json_each(:numbers) AS numbers
    CROSS JOIN usage_user_days ON usage_user_days.key = CAST(numbers.key AS INTEGER)
    WHERE day >= :first_day AND day < :end_day
    GROUP BY numbers.value, iif(:by_day, day, 0), user
    ORDER BY sum(cost) DESC, sum(unknown) DESC
    LIMIT :limit
)
SELECT
    numbers.value, iif(:by_day, day, 0), user, sum(cost), sum(unknown), sum(calls), sum(retries),
    sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
    sum(cache_write_1h_tokens), sum(reasoning_tokens)
FROM json_each(:numbers) AS numbers
CROSS JOIN usage_user_days ON usage_user_days.key = CAST(numbers.key AS INTEGER)
WHERE day >= :first_day AND day < :end_day AND user IN (SELECT user FROM dearest)
GROUP BY 1, 2, 3;
