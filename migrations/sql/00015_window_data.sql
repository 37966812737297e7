-- All services of a partition's window in one value (package counts says how): a row a service and level cost more than the lines themselves
-- where many services say little.
--
-- What is known of a window is the sum of its rows in window_data and those that log_window still has (error_data and error_window likewise):
-- processors before this version write those, and whoever writes a window afterwards takes them into its value and deletes them, in one
-- transaction. The rest of them goes with RETENTION_WINDOWS.

-- +goose Up
CREATE TABLE window_data (
  stream_id  INT UNSIGNED NOT NULL,
  part       INT UNSIGNED NOT NULL,
  start_s    BIGINT NOT NULL,                      -- window start, s since the Unix epoch, a multiple of 10
  piece      SMALLINT UNSIGNED NOT NULL,           -- 0; more when a window has tens of thousands of services
  line_count BIGINT UNSIGNED NOT NULL,             -- of all services in it
  data       MEDIUMBLOB NOT NULL,
  PRIMARY KEY (stream_id, part, start_s, piece),
  KEY window_data_start (start_s)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Top error texts a minute.
CREATE TABLE error_data (
  stream_id  INT UNSIGNED NOT NULL,
  part       INT UNSIGNED NOT NULL,
  start_s    BIGINT NOT NULL,                      -- a multiple of 60
  piece      SMALLINT UNSIGNED NOT NULL,
  line_count BIGINT UNSIGNED NOT NULL,
  data       MEDIUMBLOB NOT NULL,
  PRIMARY KEY (stream_id, part, start_s, piece),
  KEY error_data_start (start_s)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE error_data;
DROP TABLE window_data;
