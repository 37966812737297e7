-- Blind, not OK: what is wrong with the evaluation of rules at this moment. Written by the alert-evaluator; docs/blind.md says how to read it.
-- +goose Up

-- One row a stream: that somebody watches. checked_at older than 15 s means that no evaluator lives, and that every rule is blind since then.
CREATE TABLE alert_watch (
  stream_id  INT UNSIGNED NOT NULL PRIMARY KEY,
  epoch      BIGINT NOT NULL,                      -- one more at each change of owner: fences the owner before
  owner      VARCHAR(128) NOT NULL,
  checked_at DATETIME(6) NOT NULL,                 -- the newest look, by MySQL's clock
  out_seq    BIGINT NOT NULL DEFAULT 0,            -- the last seq of the outbox of meta alerts, source m
  state      JSON NULL                             -- the meta alerts that fire
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A row a problem, while it lasts.
CREATE TABLE alert_problem (
  stream_id   INT UNSIGNED NOT NULL,
  kind        VARCHAR(24) NOT NULL,                -- processor_behind, evaluator_behind, global_behind, gap, lost, misplaced; error, overflow (of a rule)
  part        INT NOT NULL,                        -- -1: of no partition
  service     VARCHAR(200) NOT NULL,               -- of misplaced; else ''
  rule_id     BIGINT UNSIGNED NOT NULL,            -- of error and overflow; else 0
  since_ns    BIGINT NOT NULL,
  event_ns    BIGINT NOT NULL,                     -- gap, misplaced, overflow: event time of the newest line concerned. A rule is blind until its window has left it; 0: until the row goes
  detail      VARCHAR(1000) NOT NULL,              -- one sentence, for people
  fingerprint CHAR(32) NOT NULL,                   -- of the meta alert that tells of it, in alert_instance and on alerts.fired
  PRIMARY KEY (stream_id, kind, part, rule_id, service)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

ALTER TABLE alert_partition
  ADD COLUMN gap_ns BIGINT NOT NULL DEFAULT 0,     -- event time up to which lines of the newest unfillable gap may lie; blind_since says when it was met
  ADD COLUMN lost_offset BIGINT NOT NULL DEFAULT -1, -- of logs.enriched: the stored position that the broker does not have
  ADD COLUMN findings JSON NULL;                   -- what the owner saw: {"overflow": {"<rule id>": ns}, "misplaced": {"<service>": ns}}, event times

ALTER TABLE alert_global
  ADD COLUMN findings JSON NULL;

-- Housekeeping needs to know how far, in event time, a snapshot is: what only older states need can go.
ALTER TABLE alert_snapshot
  ADD COLUMN watermark_ns BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE alert_snapshot DROP COLUMN watermark_ns;
ALTER TABLE alert_global DROP COLUMN findings;
ALTER TABLE alert_partition DROP COLUMN gap_ns, DROP COLUMN lost_offset, DROP COLUMN findings;
DROP TABLE alert_problem;
DROP TABLE alert_watch;
