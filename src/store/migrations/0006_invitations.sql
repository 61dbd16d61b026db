-- Who is invited to make an account. The id is that of the one-time token of the link, with which an
-- invitation expires and goes; and it goes with the administrator who made it.
CREATE TABLE invitations (
    id         BLOB    PRIMARY KEY REFERENCES one_time_tokens (id) ON DELETE CASCADE,
    email      TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL CHECK (role IN ('user', 'admin')),
    invited_by BLOB    REFERENCES users (id) ON DELETE CASCADE,  -- NULL for the shell
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invitations_invited_by ON invitations (invited_by);
