-- What the links in mails are good for. Of a token only the id is kept: its secret is made of the id and
-- the keys. A used one is deleted. Those of nobody stand for a request with an address that has no
-- account, so that it takes the same work.
CREATE TABLE one_time_tokens (
    id         BLOB    PRIMARY KEY CHECK (length(id) = 16),
    purpose    TEXT    NOT NULL,
    user_id    BLOB    REFERENCES users (id) ON DELETE CASCADE,
    email      TEXT    NOT NULL,                  -- the address that it is about
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id);
CREATE INDEX one_time_tokens_expiry ON one_time_tokens (expires_at);
