-- Where a person wrote.
CREATE INDEX messages_by_sender ON messages (sender_id, conversation_id, seq);

-- How far a person's erasure has come; the newest request of each.
CREATE TABLE erasures (
    user_id       BLOB    NOT NULL PRIMARY KEY,
    requested_at  INTEGER NOT NULL,
    conversations INTEGER NOT NULL,
    messages      INTEGER NOT NULL,
    finished_at   INTEGER -- NULL: not yet
) STRICT, WITHOUT ROWID;
