-- Version 2. Which chats a channel had last; the row's id is in the index, as in any.

CREATE INDEX inbox_by_channel ON inbox (bot, channel);

PRAGMA user_version = 2;
