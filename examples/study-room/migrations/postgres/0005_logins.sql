-- Logins that have not ended, for their account's own eyes.
CREATE TABLE logins (
    -- The `sid` of its cookies.
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- The browser, in a few words.
    agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- When the last of its cookies ends by itself.
    expires_at BIGINT NOT NULL
);

CREATE INDEX logins_by_account ON logins (account_id, last_seen_at);
