-- Times are milliseconds since the Unix epoch; ids are the 16 bytes of a UUID. Tables that are read
-- by id are stored by id (WITHOUT ROWID): one search instead of two, and since the ids of a UUIDv7
-- grow with time, neighbours are of one age.

CREATE TABLE users (
    id            BLOB    PRIMARY KEY CHECK (length(id) = 16),
    email         TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,                 -- a PHC string
    role          TEXT    NOT NULL CHECK (role IN ('user', 'admin')),
    is_verified   INTEGER NOT NULL CHECK (is_verified IN (0, 1)),
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per session, however often its refresh token rotates.
CREATE TABLE sessions (
    id           BLOB    PRIMARY KEY CHECK (length(id) = 16),
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    generation   INTEGER NOT NULL CHECK (generation >= 1),
    secret_hash  BLOB    NOT NULL CHECK (length(secret_hash) = 32),
    salt         BLOB    NOT NULL CHECK (length(salt) = 32),
    key_id       BLOB    NOT NULL CHECK (length(key_id) = 33),
    rotated_at   INTEGER NOT NULL,                  -- steady clock
    confirmed_at INTEGER,                           -- steady clock
    expires_at   INTEGER NOT NULL,                  -- idle
    ends_at      INTEGER NOT NULL,                  -- absolute
    last_used_at INTEGER NOT NULL,
    ip           TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL,
    ended_at     INTEGER,
    end_reason   TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT, WITHOUT ROWID;

-- None over what a rotation changes: it would have to write to that index each time.
CREATE INDEX sessions_live ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_user ON sessions (user_id);

-- What makes access tokens invalid before their expiry, in the order of the commits: a session
-- that ended, or a user whose claims changed. Every process follows it; swept when no access
-- token can be that old any more.
CREATE TABLE revocations (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    session_id BLOB,
    user_id    BLOB,
    CHECK ((session_id IS NULL) <> (user_id IS NULL))
) STRICT;

-- Append-only. Ids are kept after what they name is gone.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    event      TEXT    NOT NULL,
    user_id    BLOB,
    session_id BLOB,
    ip         TEXT    NOT NULL,
    user_agent TEXT    NOT NULL,
    detail     TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(detail))
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;

-- Values of which there is one.
CREATE TABLE meta (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
