CREATE TABLE accounts (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    -- The name in lower case: two accounts may not differ in case alone.
    name_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE rooms (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_message_at INTEGER
) STRICT;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id TEXT NOT NULL REFERENCES rooms (id),
    author_id TEXT NOT NULL REFERENCES accounts (id),
    author_name TEXT NOT NULL,
    text TEXT NOT NULL,
    -- Made by the page: sending the same message again stores it once.
    client_key TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    UNIQUE (author_id, client_key)
) STRICT;

CREATE INDEX messages_of_a_room ON messages (room_id, id);
