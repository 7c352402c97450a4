-- name: settings
-- What this server does not know is left out.
SELECT set_config(wanted.name, wanted.setting, false)
FROM unnest($1::text[], $2::text[]) AS wanted (name, setting)
WHERE wanted.name IN (SELECT known.name FROM pg_settings AS known);

-- name: session_pid
SELECT pg_backend_pid();
