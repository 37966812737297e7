-- Hours: what each service said in an hour, kept for longer than windows (RETENTION_HOURS), for long ranges and for people with SQL.

-- +goose Up
ALTER TABLE partition_progress
  ADD COLUMN hours_from_s  BIGINT NOT NULL DEFAULT -9223372036854775808, -- service_hour and error_hour are whole from this hour on (docs/blocks.md)
  ADD COLUMN hours_through BIGINT NOT NULL DEFAULT 0;                     -- as windows_through, or else a processor that knows no hours owns the partition

CREATE TABLE service_hour (
  stream_id   INT UNSIGNED NOT NULL,
  part        INT UNSIGNED NOT NULL,               -- a service is at home on one; lines that were sent past it are on others
  start_s     BIGINT NOT NULL,                     -- s since the Unix epoch, a multiple of 3600
  service     VARBINARY(200) NOT NULL,             -- UTF-8; names that differ in spaces at their ends only are different ones
  line_count  BIGINT UNSIGNED NOT NULL,
  trace_count BIGINT UNSIGNED NOT NULL,            -- lines by level
  debug_count BIGINT UNSIGNED NOT NULL,
  info_count  BIGINT UNSIGNED NOT NULL,
  warn_count  BIGINT UNSIGNED NOT NULL,
  error_count BIGINT UNSIGNED NOT NULL,
  fatal_count BIGINT UNSIGNED NOT NULL,
  byte_count  BIGINT UNSIGNED NOT NULL,            -- of message text
  unevaluated BIGINT UNSIGNED NOT NULL,            -- lines that no alert rule sees
  status_1xx  BIGINT UNSIGNED NOT NULL,
  status_2xx  BIGINT UNSIGNED NOT NULL,
  status_3xx  BIGINT UNSIGNED NOT NULL,
  status_4xx  BIGINT UNSIGNED NOT NULL,
  status_5xx  BIGINT UNSIGNED NOT NULL,
  rt_count    BIGINT UNSIGNED NOT NULL,            -- response times
  rt_sum_ms   DOUBLE NOT NULL,
  rt_max_ms   DOUBLE NOT NULL,
  rt_p50_ms   DOUBLE NOT NULL,                     -- within 1 %; of several rows together only from rt_bins
  rt_p95_ms   DOUBLE NOT NULL,
  rt_p99_ms   DOUBLE NOT NULL,
  rt_bins     MEDIUMBLOB NOT NULL,                 -- package counts says how
  last_s      BIGINT NOT NULL,                     -- when the last window of 10 s with a line begins
  PRIMARY KEY (stream_id, part, start_s, service),
  KEY service_hour_start (start_s),
  KEY service_hour_service (service, start_s)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE error_hour (
  stream_id  INT UNSIGNED NOT NULL,
  part       INT UNSIGNED NOT NULL,
  start_s    BIGINT NOT NULL,
  piece      SMALLINT UNSIGNED NOT NULL,
  line_count BIGINT UNSIGNED NOT NULL,
  data       MEDIUMBLOB NOT NULL,                  -- as error_data
  PRIMARY KEY (stream_id, part, start_s, piece),
  KEY error_hour_start (start_s)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Where there are windows, hours begin behind them. A line of a clock that is years ahead does not put them off for years: what was counted more than a week
-- ahead is missing in its hour, if that ever comes.
UPDATE partition_progress p SET hours_through = windows_through, hours_from_s = GREATEST(windows_from_s,
  COALESCE((SELECT MAX(start_s) FROM log_window w WHERE w.stream_id = p.stream_id AND w.part = p.part AND w.start_s < UNIX_TIMESTAMP() + 604800), 0),
  COALESCE((SELECT MAX(start_s) FROM window_data d WHERE d.stream_id = p.stream_id AND d.part = p.part AND d.start_s < UNIX_TIMESTAMP() + 604800), 0)) DIV 3600 * 3600 + 3600
WHERE windows_through > 0;

-- +goose Down
DROP TABLE error_hour;
DROP TABLE service_hour;
ALTER TABLE partition_progress DROP COLUMN hours_from_s, DROP COLUMN hours_through;
