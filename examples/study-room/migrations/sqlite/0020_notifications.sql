-- What users should hear of, until they acknowledge it: then its row is gone.
CREATE TABLE notifications (
    -- Never given twice, so that one who kept it knows that it is the same.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- JSON.
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX notifications_of_a_user ON notifications (user_id, id);
