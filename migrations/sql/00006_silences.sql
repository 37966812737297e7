-- Silences (written by the api). Each change is a version that evaluators obey from its effective_ns on, as for rules.
-- +goose Up
CREATE TABLE alert_silence (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  version    INT NOT NULL,                         -- the newest of silence_version; also the ETag
  starts_at  DATETIME(6) NOT NULL,
  ends_at    DATETIME(6) NOT NULL,                 -- set to now when somebody expires it
  created_by VARCHAR(200) NOT NULL,
  definition JSON NOT NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  KEY alert_silence_end (ends_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE silence_version (
  seq          BIGINT NOT NULL PRIMARY KEY,        -- of rule_clock
  silence_id   BIGINT UNSIGNED NOT NULL,
  version      INT NOT NULL,
  effective_ns BIGINT NOT NULL,
  definition   JSON NOT NULL,
  expired      TINYINT NOT NULL DEFAULT 0,
  author       VARCHAR(200) NOT NULL DEFAULT '',
  created_at   DATETIME(6) NOT NULL,
  UNIQUE KEY silence_version_of (silence_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE silence_version;
DROP TABLE alert_silence;
