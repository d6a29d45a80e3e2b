-- A user's own wishes, and where they were last called to a conversation.
CREATE TABLE invisible (
    user_id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE muted (
    user_id         BLOB NOT NULL,
    conversation_id BLOB NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    user_id         BLOB NOT NULL,
    conversation_id BLOB NOT NULL,
    seq             INTEGER NOT NULL,
    called_at       INTEGER NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) STRICT, WITHOUT ROWID;
