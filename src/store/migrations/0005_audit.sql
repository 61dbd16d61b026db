-- Who did it, when that is somebody else than `user_id`, whom it is about. NULL for the subject
-- themselves and for the shell.
ALTER TABLE audit ADD COLUMN actor_id BLOB;

-- What a user, and an administrator who looks for one kind of event, read backwards (an index ends
-- with `seq`); and what is old enough to go.
CREATE INDEX audit_user ON audit (user_id);
CREATE INDEX audit_event ON audit (event);
CREATE INDEX audit_at ON audit (at);

-- Still append-only, but for what the retention lets go: rows from before a point in time that the
-- sweep puts into `meta` first and takes out again in the same transaction. At any other time the
-- value is not there and nothing can be deleted at all.
DROP TRIGGER audit_is_not_deleted;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN NOT coalesce(OLD.at < (SELECT value FROM meta WHERE name = 'audit_kept_since'), 0)
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;

-- Few are administrators or disabled: finding them, and whether one is left, does not walk through
-- everybody.
CREATE INDEX users_admins ON users (id) WHERE role = 'admin';
CREATE INDEX users_disabled ON users (id) WHERE disabled_at IS NOT NULL;
