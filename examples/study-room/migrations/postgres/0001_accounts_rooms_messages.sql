CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- The name in lower case: two accounts may not differ in case alone.
    name_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE rooms (
    -- Ordered by its octets, whatever the language of the database.
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_message_at BIGINT
);

CREATE TABLE messages (
    -- Given out while the room's row is locked: in a room they grow in the order in which messages become visible.
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id TEXT COLLATE "C" NOT NULL REFERENCES rooms (id),
    author_id TEXT NOT NULL REFERENCES accounts (id),
    author_name TEXT NOT NULL,
    text TEXT NOT NULL,
    -- Made by the page: sending the same message again stores it once.
    client_key TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    UNIQUE (author_id, client_key)
);

CREATE INDEX messages_of_a_room ON messages (room_id, id);
