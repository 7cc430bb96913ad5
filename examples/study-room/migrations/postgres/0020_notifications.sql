-- What users should hear of, until they acknowledge it: then its row is gone.
CREATE TABLE notifications (
    -- Given out while the mailbox is locked: for a user they grow in the order in which notifications become visible.
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    -- JSON as it was written: JSONB could not hold U+0000, and nothing here asks what is in it.
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX notifications_of_a_user ON notifications (user_id, id);
