-- What is known of the keys, which are not here: when they came, and whether anything that is about can
-- still need them. A key is retired for good.
CREATE TABLE keys (
    id            BLOB    PRIMARY KEY CHECK (length(id) = 33),
    kid           TEXT    NOT NULL,                  -- what access tokens call it
    active_at     INTEGER NOT NULL,                  -- when it was first seen
    superseded_at INTEGER,                           -- since when another one makes tokens
    needed_at     INTEGER NOT NULL,                  -- when something was last known to need it
    looked_at     INTEGER NOT NULL,                  -- when that was last looked into
    retired_at    INTEGER
) STRICT, WITHOUT ROWID;
