-- Mail that is not delivered yet, written in the transaction of what it announces. A delivered mail is
-- deleted. No secret is in it: links are made of the ids of one-time tokens when it is delivered.
CREATE TABLE outbox (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of the commits
    posted_at INTEGER NOT NULL,
    recipient TEXT    NOT NULL,
    about     TEXT    NOT NULL CHECK (json_valid(about)),
    due_at    INTEGER NOT NULL,
    attempts  INTEGER NOT NULL DEFAULT 0,         -- that failed
    since     INTEGER NOT NULL,                   -- patience counts from here
    reason    TEXT,                               -- of the last failure
    dead_at   INTEGER                             -- given up, until somebody says otherwise
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at) WHERE dead_at IS NULL;
CREATE INDEX outbox_recipient ON outbox (recipient, seq) WHERE dead_at IS NULL;
