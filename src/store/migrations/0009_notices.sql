-- The letters of the last hour that nobody had asked for, so that nobody gets many of them, also where
-- accounts come and go. Of the recipient there is only a mark. Older ones are swept.
CREATE TABLE notices (
    seq       INTEGER PRIMARY KEY,
    recipient BLOB    NOT NULL CHECK (length(recipient) = 16),
    at        INTEGER NOT NULL
) STRICT;

CREATE INDEX notices_recipient ON notices (recipient, at);

-- Whether anybody has ever signed in: from the second time on, a device that is not known is news. The
-- devices of the sessions that are there are recorded by the program, which alone can make their marks.
ALTER TABLE users ADD COLUMN has_signed_in INTEGER NOT NULL DEFAULT 0 CHECK (has_signed_in IN (0, 1));

UPDATE users SET has_signed_in = 1
WHERE id IN (SELECT user_id FROM sessions)
   OR id IN (SELECT user_id FROM devices)
   OR id IN (SELECT user_id FROM audit WHERE event = 'signed_in');
