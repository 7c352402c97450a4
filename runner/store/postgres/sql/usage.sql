-- Sums by day. The keys come first, for they are few; the days of each stand together.

-- name: usage_keys
SELECT id, bot, feature, task, model, provider, route, platform FROM usage_keys WHERE $1::text IS NULL OR bot = $1;

-- name: usage_by_key
SELECT
    days.key, sum(cost)::bigint, sum(unknown)::bigint, sum(calls)::bigint, sum(retries)::bigint,
    sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cache_read_tokens)::bigint,
    sum(cache_write_5m_tokens)::bigint, sum(cache_write_1h_tokens)::bigint, sum(reasoning_tokens)::bigint
FROM usage_days AS days
WHERE days.key = ANY($1::bigint[]) AND day >= $2::bigint AND day < $3::bigint
GROUP BY days.key;

-- name: usage_by_day
-- Each key has a number that says which group it is in.
SELECT
    numbers.number, day, '', sum(cost)::bigint, sum(unknown)::bigint, sum(calls)::bigint, sum(retries)::bigint,
    sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cache_read_tokens)::bigint,
    sum(cache_write_5m_tokens)::bigint, sum(cache_write_1h_tokens)::bigint, sum(reasoning_tokens)::bigint
FROM unnest($1::bigint[], $2::integer[]) AS numbers (key, number)
JOIN usage_days ON usage_days.key = numbers.key
WHERE day >= $3::bigint AND day < $4::bigint
GROUP BY numbers.number, day
ORDER BY sum(cost) DESC, sum(unknown) DESC
LIMIT $5::bigint;

-- name: usage_by_user
SELECT
    number, day, usage_users."user", cost, unknown, calls, retries, input_tokens, output_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens
FROM (
    SELECT
        numbers.number, CASE WHEN $5::boolean THEN day ELSE 0 END AS day, "user" AS id,
        sum(cost)::bigint AS cost, sum(unknown)::bigint AS unknown, sum(calls)::bigint AS calls,
        sum(retries)::bigint AS retries, sum(input_tokens)::bigint AS input_tokens,
        sum(output_tokens)::bigint AS output_tokens, sum(cache_read_tokens)::bigint AS cache_read_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(reasoning_tokens)::bigint AS reasoning_tokens
    FROM unnest($1::bigint[], $2::integer[]) AS numbers (key, number)
    JOIN usage_user_days ON usage_user_days.key = numbers.key
    WHERE day >= $3::bigint AND day < $4::bigint
    GROUP BY 1, 2, 3
) AS sums
JOIN usage_users USING (id);

-- name: usage_by_dearest_users
-- Who is dear is found by the cost alone, which sorts less; then all groups of those are added up.
WITH numbers AS MATERIALIZED (
    SELECT key, number FROM unnest($1::bigint[], $2::integer[]) AS given (key, number)
),
dearest AS MATERIALIZED (
    SELECT "user"
    FROM numbers
    JOIN usage_user_days USING (key)
    WHERE day >= $3::bigint AND day < $4::bigint
    GROUP BY number, CASE WHEN $5::boolean THEN day ELSE 0 END, "user"
    ORDER BY sum(cost) DESC, sum(unknown) DESC
    LIMIT $6::bigint
)
SELECT
    number, day, usage_users."user", cost, unknown, calls, retries, input_tokens, output_tokens, cache_read_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens
FROM (
    SELECT
        number, CASE WHEN $5::boolean THEN day ELSE 0 END AS day, "user" AS id,
        sum(cost)::bigint AS cost, sum(unknown)::bigint AS unknown, sum(calls)::bigint AS calls,
        sum(retries)::bigint AS retries, sum(input_tokens)::bigint AS input_tokens,
        sum(output_tokens)::bigint AS output_tokens, sum(cache_read_tokens)::bigint AS cache_read_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(reasoning_tokens)::bigint AS reasoning_tokens
    FROM numbers
    JOIN usage_user_days USING (key)
    WHERE day >= $3::bigint AND day < $4::bigint AND "user" IN (SELECT "user" FROM dearest)
    GROUP BY 1, 2, 3
) AS sums
JOIN usage_users USING (id);

-- name: usage
-- One text for every set of groupings: a column that is not asked for is the same for all rows.
SELECT
    CASE WHEN $6::boolean THEN bot ELSE '' END,
    CASE WHEN $7::boolean THEN feature ELSE '' END,
    CASE WHEN $8::boolean THEN task ELSE '' END,
    CASE WHEN $9::boolean THEN "user" ELSE '' END,
    CASE WHEN $10::boolean THEN model ELSE '' END,
    CASE WHEN $11::boolean THEN provider ELSE '' END,
    CASE WHEN $12::boolean THEN route ELSE '' END,
    CASE WHEN $13::boolean THEN platform ELSE '' END,
    CASE WHEN $14::boolean THEN time_ms / 86400000 ELSE 0 END,
    (coalesce(sum(cost) FILTER (WHERE state = 'settled'), 0))::bigint,
    (coalesce(sum(cost) FILTER (WHERE state = 'unknown'), 0))::bigint,
    count(*) FILTER (WHERE corrects = ''),
    count(*) FILTER (WHERE corrects = '' AND number > 1),
    sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cache_read_tokens)::bigint,
    sum(cache_write_5m_tokens)::bigint, sum(cache_write_1h_tokens)::bigint, sum(reasoning_tokens)::bigint
FROM ledger
WHERE time_ms >= $1::bigint AND time_ms < $2::bigint AND state <> 'held'
  AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR bot = $4) AND ($5::text IS NULL OR turn = $5)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
