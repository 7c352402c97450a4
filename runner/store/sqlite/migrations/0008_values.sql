-- Version 8. Small values by key: sign-outs, login links that were used, what all daemons of a store share.
-- What waits is found by bot, so that all bots have their turn.

CREATE TABLE shared_values (
    key     TEXT    PRIMARY KEY,
    value   TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL,
    ends_ms INTEGER -- NULL: never
) STRICT;

CREATE INDEX shared_values_ending ON shared_values (ends_ms) WHERE ends_ms IS NOT NULL;

CREATE INDEX inbox_open_of_bot ON inbox (bot, id) WHERE finished_ms IS NULL;
DROP INDEX inbox_open_by_age;

PRAGMA user_version = 8;
