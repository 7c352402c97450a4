-- name: make_lease
INSERT INTO leases (name, holder, epoch, until_ms) VALUES ($1, '', 0, 0) ON CONFLICT (name) DO NOTHING;

-- name: lease
SELECT holder, epoch, until_ms FROM leases WHERE name = $1 FOR UPDATE;

-- name: save_lease
UPDATE leases SET holder = $2, epoch = $3, until_ms = $4 WHERE name = $1;

-- name: release_lease
UPDATE leases SET holder = '', until_ms = 0 WHERE name = $1 AND holder = $2;
