-- Which minutes of windows were written, and when, in offsets: readers that keep windows in memory follow them (docs/blocks.md). The
-- processor writes it, in the transaction of the windows.

-- +goose Up
CREATE TABLE window_change (
  stream_id  INT UNSIGNED NOT NULL,
  part       INT UNSIGNED NOT NULL,
  start_s    BIGINT NOT NULL,                      -- a minute with rows in log_window or error_window, a multiple of 60
  through    BIGINT NOT NULL,                      -- partition_progress.windows_through of the last transaction that wrote some of them
  written_at DATETIME(6) NOT NULL,                 -- deleted a day later
  PRIMARY KEY (stream_id, part, start_s),
  KEY window_change_through (stream_id, part, through),
  KEY window_change_age (stream_id, part, written_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE window_change;
