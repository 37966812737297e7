-- What went to logs.dead from logs.raw, and what became of it (docs/dead-letters.md). The processor writes it, in the transaction that moves the
-- position past the message: a letter on logs.dead without a row is of a try that was given up, and its message was read again.

-- +goose Up
CREATE TABLE dead_letter (
  stream_id   INT UNSIGNED NOT NULL,
  part        INT UNSIGNED NOT NULL,
  raw_offset  BIGINT NOT NULL,                     -- of the message on logs.raw
  kind        VARCHAR(32) NOT NULL,                -- undecodable, rejected_rows, panic, unbuildable, refused, idempotency_conflict
  only_rows   MEDIUMTEXT NOT NULL,                 -- the message's records that are not stored, from 0: 3,7-9,12- ; '' = all
  at_ns       BIGINT NOT NULL,                     -- when the message was written to logs.raw; a replay's: when the first was
  import      TINYINT NOT NULL,                    -- its records are history
  request     VARBINARY(24) NULL,                  -- of idempotency_conflict: the request's key and fingerprint
  replay_of   BIGINT NULL,                         -- raw_offset of the letter that this one was a replay of
  died_at     DATETIME(6) NOT NULL,                -- deleted 90 days later
  replayed_as BIGINT NULL,                         -- raw_offset of the message in which it was stored, or died again
  replayed_by VARCHAR(200) NOT NULL DEFAULT '',
  replayed_at DATETIME(6) NULL,
  PRIMARY KEY (stream_id, part, raw_offset),
  KEY dead_letter_age (died_at),
  KEY dead_letter_request (stream_id, part, request)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE dead_letter;
