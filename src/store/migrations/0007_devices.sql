-- The devices from which an account has signed in: what kind of browser, at what address, as a mark
-- that tells neither. They are few, and forgotten when they have not been seen for long.
CREATE TABLE devices (
    user_id    BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    mark       BLOB    NOT NULL CHECK (length(mark) = 16),
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,                  -- to the day
    PRIMARY KEY (user_id, mark)
) STRICT, WITHOUT ROWID;

CREATE INDEX devices_last_seen ON devices (last_seen);
