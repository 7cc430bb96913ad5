-- Accounts that an administrator keeps out, until the ban is lifted: then its row is gone.
CREATE TABLE bans (
    account_id TEXT PRIMARY KEY REFERENCES accounts (id),
    banned_at BIGINT NOT NULL
);
