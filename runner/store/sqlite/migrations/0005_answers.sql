-- Version 5. What a conversation is answered by, summaries of what a model sees no more, answers kept to be given again.

ALTER TABLE conversations ADD COLUMN tier TEXT NOT NULL DEFAULT ''; -- empty: none yet
ALTER TABLE conversations ADD COLUMN head TEXT NOT NULL DEFAULT ''; -- stands for all messages before first_seq
ALTER TABLE conversations ADD COLUMN prepared_first_seq INTEGER;    -- NULL: no head is prepared
ALTER TABLE conversations ADD COLUMN prepared_head TEXT;

CREATE TABLE kept_answers (
    key      TEXT    PRIMARY KEY,
    bot      TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    cost     INTEGER NOT NULL, -- when it was made
    made_ms  INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX kept_answers_by_bot ON kept_answers (bot, made_ms, key);
CREATE INDEX kept_answers_by_end ON kept_answers (until_ms);

PRAGMA user_version = 5;
