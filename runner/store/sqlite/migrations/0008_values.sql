-- Version 8. Small values by key: sign-outs, login links that were used, what all daemons of a store share.

CREATE TABLE shared_values (
    key     TEXT    PRIMARY KEY,
    value   TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL,
    ends_ms INTEGER -- NULL: never
) STRICT;

CREATE INDEX shared_values_ending ON shared_values (ends_ms) WHERE ends_ms IS NOT NULL;

PRAGMA user_version = 8;
