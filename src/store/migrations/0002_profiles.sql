-- What users say about themselves. The forms of the values are the program's business.
CREATE TABLE profiles (
    user_id      BLOB PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    display_name TEXT,
    given_name   TEXT,
    family_name  TEXT,
    phone        TEXT,
    locale       TEXT,
    time_zone    TEXT,
    avatar_url   TEXT
) STRICT, WITHOUT ROWID;

-- By `seq` they are in the order in which they were added, whatever the clock did.
CREATE TABLE addresses (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    user_id     BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_default  INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    label       TEXT,
    recipient   TEXT    NOT NULL,
    line1       TEXT    NOT NULL,
    line2       TEXT,
    postal_code TEXT,
    city        TEXT    NOT NULL,
    region      TEXT,
    country     TEXT    NOT NULL CHECK (length(country) = 2),
    phone       TEXT
) STRICT;

CREATE INDEX addresses_user ON addresses (user_id);

-- A user never has two defaults.
CREATE UNIQUE INDEX addresses_default ON addresses (user_id) WHERE is_default = 1;
