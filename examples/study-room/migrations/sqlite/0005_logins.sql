-- Logins that have not ended, for their account's own eyes.
CREATE TABLE logins (
    -- The `sid` of its cookies.
    id TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- The browser, in a few words.
    agent TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    -- When the last of its cookies ends by itself.
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX logins_by_account ON logins (account_id, last_seen_at);
