-- Ids are UUIDs in 16 bytes, times Unix milliseconds, a position is (log_epoch, log_offset).

CREATE TABLE conversations (
    id         BLOB PRIMARY KEY CHECK (length(id) = 16),
    key        TEXT UNIQUE, -- NULL: none
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    metadata   TEXT         -- the marketplace's JSON, byte for byte; NULL: none
) STRICT;

CREATE TABLE members (
    conversation_id BLOB    NOT NULL REFERENCES conversations (id),
    place           INTEGER NOT NULL, -- grows with each member who comes
    user_id         BLOB    NOT NULL CHECK (length(user_id) = 16),
    username        TEXT    NOT NULL,
    role            TEXT    NOT NULL,
    PRIMARY KEY (conversation_id, place),
    UNIQUE (user_id, conversation_id)
) STRICT, WITHOUT ROWID;

-- Deliver numbers messages whether or not their conversation is known here: no foreign key.
CREATE TABLE messages (
    conversation_id   BLOB    NOT NULL CHECK (length(conversation_id) = 16),
    seq               INTEGER NOT NULL,
    log_epoch         INTEGER NOT NULL,
    log_offset        INTEGER NOT NULL,
    id                BLOB    NOT NULL CHECK (length(id) = 16),
    sender_id         BLOB    NOT NULL,
    sender_username   TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    client_message_id BLOB, -- NULL: none
    attachment_urls   TEXT, -- a JSON array; NULL: none
    text              TEXT    NOT NULL,
    PRIMARY KEY (conversation_id, seq)
) STRICT, WITHOUT ROWID;

-- Where a message is, and what tells a retry of it from another message under the same id.
CREATE TABLE message_ids (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    conversation_id BLOB    NOT NULL,
    seq             INTEGER NOT NULL,
    log_epoch       INTEGER NOT NULL,
    log_offset      INTEGER NOT NULL,
    sender_id       BLOB    NOT NULL,
    created_at      INTEGER NOT NULL,
    body_hash       BLOB    NOT NULL CHECK (length(body_hash) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE heads (
    conversation_id BLOB    NOT NULL PRIMARY KEY,
    seq             INTEGER NOT NULL,
    log_epoch       INTEGER NOT NULL,
    log_offset      INTEGER NOT NULL,
    activity_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE read_marks (
    conversation_id BLOB    NOT NULL,
    user_id         BLOB    NOT NULL,
    seq             INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE topics (
    topic      TEXT    NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL,
    partitions INTEGER NOT NULL,
    epoch      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
