-- Logins that ended before their cookies: a copy of such a cookie opens nothing.
CREATE TABLE ended_logins (
    id TEXT PRIMARY KEY,
    -- When its cookies end by themselves, and it can be forgotten.
    expires_at BIGINT NOT NULL
);

CREATE INDEX ended_logins_by_end ON ended_logins (expires_at);
