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
    number, day, usage_users.user, cost, unknown, calls, retries, input_tokens, output_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens
FROM (
    SELECT
        numbers.value AS number, iif(:by_day, day, 0) AS day, user AS id, sum(cost) AS cost,
        sum(unknown) AS unknown, sum(calls) AS calls, sum(retries) AS retries,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens) AS cache_write_1h_tokens, sum(reasoning_tokens) AS reasoning_tokens
    FROM json_each(:numbers) AS numbers
    CROSS JOIN usage_user_days ON usage_user_days.key = CAST(numbers.key AS INTEGER)
    WHERE day >= :first_day AND day < :end_day
    GROUP BY 1, 2, 3
) AS sums
CROSS JOIN usage_users USING (id);

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
    number, day, usage_users.user, cost, unknown, calls, retries, input_tokens, output_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens
FROM (
    SELECT
        numbers.value AS number, iif(:by_day, day, 0) AS day, user AS id, sum(cost) AS cost,
        sum(unknown) AS unknown, sum(calls) AS calls, sum(retries) AS retries,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens) AS cache_write_1h_tokens, sum(reasoning_tokens) AS reasoning_tokens
    FROM json_each(:numbers) AS numbers
    CROSS JOIN usage_user_days ON usage_user_days.key = CAST(numbers.key AS INTEGER)
    WHERE day >= :first_day AND day < :end_day AND user IN (SELECT user FROM dearest)
    GROUP BY 1, 2, 3
) AS sums
CROSS JOIN usage_users USING (id);
