-- Alerts: rules and what people do (written by the api); state, episodes and the outbox (written by the alert-evaluator).
-- +goose Up

-- One row. Whoever changes rules or alerts locks it and takes the next number; the evaluator's commits read it under a shared lock, so that
-- no step is committed that did not know of a change it should have obeyed.
CREATE TABLE rule_clock (
  id  TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  seq BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO rule_clock (id, seq) VALUES (1, 0);

CREATE TABLE alert_rule (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name       VARCHAR(200) NOT NULL,
  team       VARCHAR(256) NOT NULL DEFAULT '',
  version    INT NOT NULL,                         -- the newest of rule_version; also the ETag
  definition JSON NOT NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  deleted_at DATETIME(6) NULL,
  live_name  VARCHAR(200) AS (IF(deleted_at IS NULL, name, NULL)) STORED,
  UNIQUE KEY alert_rule_name (live_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE rule_version (
  seq          BIGINT NOT NULL PRIMARY KEY,        -- of rule_clock
  rule_id      BIGINT UNSIGNED NOT NULL,
  version      INT NOT NULL,
  effective_ns BIGINT NOT NULL,                    -- event time from which it is in force
  definition   JSON NOT NULL,
  deleted      TINYINT NOT NULL DEFAULT 0,
  author       VARCHAR(200) NOT NULL DEFAULT '',
  created_at   DATETIME(6) NOT NULL,
  UNIQUE KEY rule_version_of (rule_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE alert_command (
  seq          BIGINT NOT NULL PRIMARY KEY,        -- of rule_clock
  effective_ns BIGINT NOT NULL,
  kind         VARCHAR(16) NOT NULL,               -- acknowledge, note, resolve
  fingerprint  CHAR(32) NOT NULL,
  starts_ns    BIGINT NOT NULL,
  who          VARCHAR(200) NOT NULL,
  note         TEXT NOT NULL,
  created_at   DATETIME(6) NOT NULL,
  KEY alert_command_of (fingerprint, starts_ns)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

ALTER TABLE alert_partition
  ADD COLUMN out_seq BIGINT NOT NULL DEFAULT 0,    -- the last seq of this partition's outbox
  ADD COLUMN begun_ns BIGINT NOT NULL DEFAULT 0;   -- event time from which its rules count

-- The shard that decides rules over all partitions.
CREATE TABLE alert_global (
  stream_id  INT UNSIGNED NOT NULL PRIMARY KEY,
  epoch      BIGINT NOT NULL,
  owner      VARCHAR(128) NOT NULL,
  tick       BIGINT NOT NULL,                      -- all ticks up to this one are decided
  out_seq    BIGINT NOT NULL,
  lease_at   DATETIME(6) NOT NULL                  -- when the owner last said that it lives
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Closed cells of a partition that the global shard needs; kept until its snapshot includes them.
CREATE TABLE alert_partial (
  stream_id INT UNSIGNED NOT NULL,
  part      INT UNSIGNED NOT NULL,
  to_tick   BIGINT NOT NULL,                       -- the newest tick in it
  cells     MEDIUMBLOB NOT NULL,
  PRIMARY KEY (stream_id, part, to_tick)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The state of an engine at a position; what came after is read again. source is p<partition> or g.
CREATE TABLE alert_snapshot (
  stream_id   INT UNSIGNED NOT NULL,
  source      VARCHAR(16) NOT NULL,
  chunk       INT UNSIGNED NOT NULL,               -- of at most 8 MiB
  next_offset BIGINT NOT NULL,
  source_next BIGINT NOT NULL,
  out_seq     BIGINT NOT NULL,
  rule_seq    BIGINT NOT NULL,                     -- of rule_clock: what the state knew
  state       MEDIUMBLOB NOT NULL,                 -- zstd
  PRIMARY KEY (stream_id, source, chunk)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- An episode of an alert.
CREATE TABLE alert_instance (
  fingerprint     CHAR(32) NOT NULL,
  starts_ns       BIGINT NOT NULL,                 -- as announced
  final_starts_ns BIGINT NOT NULL,                 -- as it turned out; 0 while the tick is open
  ends_ns         BIGINT NOT NULL DEFAULT 0,       -- 0 while firing
  rule_id         BIGINT UNSIGNED NOT NULL,
  rule_version    INT NOT NULL,
  rule_name       VARCHAR(200) NOT NULL,
  team            VARCHAR(256) NOT NULL,
  severity        VARCHAR(16) NOT NULL,
  service         VARCHAR(200) NOT NULL,
  value           DOUBLE NULL,
  peak            DOUBLE NULL,
  reason          VARCHAR(32) NOT NULL,
  ack_by          VARCHAR(200) NOT NULL DEFAULT '',
  note            TEXT NOT NULL,
  event           JSON NOT NULL,                   -- the data of the newest event
  updated_at      DATETIME(6) NOT NULL,
  PRIMARY KEY (fingerprint, starts_ns),
  KEY alert_instance_time (starts_ns),
  KEY alert_instance_active (ends_ns, starts_ns),
  KEY alert_instance_rule (rule_id, starts_ns)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Events on their way to alerts.fired, one writer a source.
CREATE TABLE alert_outbox (
  stream_id   INT UNSIGNED NOT NULL,
  source      VARCHAR(16) NOT NULL,
  seq         BIGINT NOT NULL,
  fingerprint CHAR(32) NOT NULL,
  tick_ns     BIGINT NOT NULL,                     -- event time of the decision
  event       JSON NOT NULL,
  sent        TINYINT NOT NULL DEFAULT 0,          -- 0 to be sent, 1 sent, 2 withheld: too old when it was decided
  created_at  DATETIME(6) NOT NULL,
  PRIMARY KEY (stream_id, source, seq),
  KEY alert_outbox_sent (stream_id, source, sent, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE alert_outbox;
DROP TABLE alert_instance;
DROP TABLE alert_snapshot;
DROP TABLE alert_partial;
DROP TABLE alert_global;
ALTER TABLE alert_partition DROP COLUMN out_seq, DROP COLUMN begun_ns;
DROP TABLE alert_command;
DROP TABLE rule_version;
DROP TABLE alert_rule;
DROP TABLE rule_clock;
