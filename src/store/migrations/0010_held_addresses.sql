-- An address is kept for the account that had it, as long as a link can give it back: asked with every
-- new account.
CREATE INDEX one_time_tokens_held ON one_time_tokens (email) WHERE purpose = 'undo_email_change';
