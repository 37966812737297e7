-- How rules stand: what is pending, without data, warming (written by the alert-evaluator, a row a source, every 2 s when it has changed). Not part of what is decided.
-- +goose Up
CREATE TABLE alert_status (
  stream_id  INT UNSIGNED NOT NULL,
  source     VARCHAR(16) NOT NULL,                 -- p<partition> or g
  status     JSON NOT NULL,                        -- engine.Status
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (stream_id, source)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The events of an episode, for its history.
ALTER TABLE alert_outbox ADD KEY alert_outbox_of (fingerprint, tick_ns);

-- +goose Down
ALTER TABLE alert_outbox DROP KEY alert_outbox_of;
DROP TABLE alert_status;
