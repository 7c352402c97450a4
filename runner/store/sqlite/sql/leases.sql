-- name: lease
SELECT holder, epoch, until_ms FROM leases WHERE name = ?;

-- name: save_lease
INSERT INTO leases (name, holder, epoch, until_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, epoch = excluded.epoch, until_ms = excluded.until_ms;

-- name: release_lease
UPDATE leases SET holder = '', until_ms = 0 WHERE name = ? AND holder = ?;
