-- What was paid in, models set aside, alerts.

-- name: pay_in_alone
-- What is paid in together must fit: one at a time. Who reads is not held up.
LOCK TABLE deposits IN SHARE ROW EXCLUSIVE MODE;

-- name: deposit
INSERT INTO deposits (key, amount, at_ms, note) VALUES ($1, $2, $3, $4);

-- name: deposit_of
SELECT key, amount, at_ms, note FROM deposits WHERE key = $1;

-- name: deposits
SELECT key, amount, at_ms, note FROM deposits ORDER BY at_ms DESC, seq DESC;

-- name: set_aside
INSERT INTO quarantine (provider, model, attempt, held, cost, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (provider, model) DO NOTHING;

-- name: quarantined
SELECT provider, model, attempt, held, cost, at_ms FROM quarantine ORDER BY at_ms DESC, provider, model;

-- name: clear_quarantine
DELETE FROM quarantine WHERE provider = $1 AND model = $2;

-- name: raise_alert
INSERT INTO alerts (scope, percent, "limit", gone, at_ms, waits) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (scope, "limit", percent) DO NOTHING;

-- name: alerts
SELECT scope, percent, "limit", gone, at_ms FROM alerts ORDER BY id DESC LIMIT $1;

-- name: waiting_alerts
SELECT id, tries, due_ms, scope, percent, "limit", gone, at_ms FROM alerts WHERE waits = 1 ORDER BY due_ms, id LIMIT $1;

-- name: end_alert
UPDATE alerts SET waits = $1, tries = tries + 1, due_ms = $2 WHERE id = $3 AND waits = 1;
