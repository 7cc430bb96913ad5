-- What two people say to each other alone.
CREATE TABLE direct_messages (
    -- Given out while the pair is locked: between two people they grow in the order in which messages become visible.
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Both ids, the smaller one first: the same whoever writes.
    pair TEXT COLLATE "C" NOT NULL,
    author_id TEXT NOT NULL REFERENCES accounts (id),
    recipient_id TEXT NOT NULL REFERENCES accounts (id),
    text TEXT NOT NULL,
    -- Made by the page: sending the same message again stores it once.
    client_key TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    UNIQUE (author_id, client_key)
);

CREATE INDEX direct_messages_of_two ON direct_messages (pair, id);

-- One for each of the two.
CREATE TABLE conversations (
    owner_id TEXT NOT NULL REFERENCES accounts (id),
    other_id TEXT NOT NULL REFERENCES accounts (id),
    last_message_id BIGINT NOT NULL,
    -- What the owner has read: all messages up to this one.
    read_up_to BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (owner_id, other_id)
);

CREATE INDEX conversations_by_newest ON conversations (owner_id, last_message_id);

-- Messages as both see them, with both names.
CREATE VIEW named_direct_messages AS
SELECT message.id, message.pair, message.author_id, author.name AS author, message.recipient_id,
       recipient.name AS recipient, message.text, message.sent_at, message.client_key AS key
FROM direct_messages AS message
JOIN accounts AS author ON author.id = message.author_id
JOIN accounts AS recipient ON recipient.id = message.recipient_id;
