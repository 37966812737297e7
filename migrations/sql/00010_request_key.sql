-- Requests with an Idempotency-Key that are stored, a home partition each (docs/adr/0009-idempotency-key.md). The processor writes it.

-- +goose Up
CREATE TABLE request_key (
  stream_id   INT UNSIGNED NOT NULL,
  part        INT UNSIGNED NOT NULL,
  key_hash    BINARY(16) NOT NULL,                 -- header logmill-request
  fingerprint BIGINT UNSIGNED NOT NULL,            -- header logmill-fingerprint
  at_ns       BIGINT NOT NULL,                     -- time of the message; deleted 15 minutes behind the newest
  PRIMARY KEY (stream_id, part, key_hash),
  KEY request_key_age (stream_id, part, at_ns)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE request_key;
