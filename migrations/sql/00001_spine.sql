-- The spine: progress, blocks and windows (written by the processor), the evaluator's positions (written by the alert-evaluator).
-- All times named *_ns are ns since the Unix epoch, UTC; offsets are offsets on logs.raw unless said otherwise.

-- +goose Up
CREATE TABLE stream (
  id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  cluster_id  VARCHAR(64)  NOT NULL,
  topic       VARCHAR(249) NOT NULL,
  topic_id    VARCHAR(36)  NOT NULL,              -- Kafka's topic UUID: a topic deleted and made again is another stream
  partitions  INT UNSIGNED NOT NULL,
  created_at  DATETIME(6)  NOT NULL,
  UNIQUE KEY stream_identity (cluster_id, topic, topic_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE partition_progress (
  stream_id       INT UNSIGNED NOT NULL,
  part            INT UNSIGNED NOT NULL,
  epoch           BIGINT NOT NULL DEFAULT 0,       -- one more at each assignment: fences the owner before
  owner           VARCHAR(128) NOT NULL DEFAULT '',
  next_offset     BIGINT NOT NULL DEFAULT 0,       -- all below is stored
  watermark_ns    BIGINT NOT NULL DEFAULT 0,       -- every later record has eval_time above it
  change_seq      BIGINT NOT NULL DEFAULT 0,       -- one more at each change of the partition's set of blocks
  windows_through BIGINT NOT NULL DEFAULT 0,       -- log_window and error_window include all records below this offset
  updated_at      DATETIME(6) NOT NULL,
  PRIMARY KEY (stream_id, part)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE block (
  id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  stream_id    INT UNSIGNED NOT NULL,
  part         INT UNSIGNED NOT NULL,
  generation   TINYINT UNSIGNED NOT NULL DEFAULT 0, -- 0 = as ingested; compaction raises it
  from_offset  BIGINT NOT NULL,
  to_offset    BIGINT NOT NULL,                    -- inclusive
  prev_to      BIGINT NOT NULL,                    -- to_offset of the block before it, -1 for none
  row_count    INT UNSIGNED NOT NULL,
  byte_count   INT UNSIGNED NOT NULL,
  checksum     INT UNSIGNED NOT NULL,              -- CRC-32C of block_data.data
  min_time_ns  BIGINT NOT NULL,
  max_time_ns  BIGINT NOT NULL,
  level_mask   TINYINT UNSIGNED NOT NULL,          -- bit 1<<level
  services     MEDIUMTEXT NOT NULL,                -- JSON array, sorted
  watermark_ns BIGINT NOT NULL,
  change_seq   BIGINT NOT NULL,
  created_at   DATETIME(6) NOT NULL,
  retired_at   DATETIME(6) NULL,                   -- replaced by compaction; still readable for a while
  UNIQUE KEY block_identity (stream_id, part, from_offset, generation),
  KEY block_time (max_time_ns, min_time_ns),
  KEY block_change (stream_id, part, change_seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE block_filter (
  block_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  filter   MEDIUMBLOB NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE block_data (
  block_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  data     LONGBLOB NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- 10 s windows. A row holds the whole truth of its window for one partition, as of partition_progress.windows_through.
CREATE TABLE log_window (
  stream_id     INT UNSIGNED NOT NULL,
  part          INT UNSIGNED NOT NULL,
  start_s       BIGINT NOT NULL,                   -- window start, s since the Unix epoch, a multiple of 10
  service       VARCHAR(200) NOT NULL,
  level         TINYINT UNSIGNED NOT NULL,
  line_count    BIGINT UNSIGNED NOT NULL,
  byte_count    BIGINT UNSIGNED NOT NULL,          -- bytes of message text
  unevaluated   BIGINT UNSIGNED NOT NULL,          -- lines whose eval_time is NULL
  status_1xx    BIGINT UNSIGNED NOT NULL,
  status_2xx    BIGINT UNSIGNED NOT NULL,
  status_3xx    BIGINT UNSIGNED NOT NULL,
  status_4xx    BIGINT UNSIGNED NOT NULL,
  status_5xx    BIGINT UNSIGNED NOT NULL,
  rt_count      BIGINT UNSIGNED NOT NULL,
  rt_sum_ms     DOUBLE NOT NULL,
  rt_max_ms     DOUBLE NOT NULL,
  rt_sketch     BLOB NULL,                         -- DDSketch (1 %), protobuf
  PRIMARY KEY (stream_id, part, start_s, service, level),
  KEY log_window_start (start_s)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Top error texts a minute: numbers and ids masked, so that repeats meet.
CREATE TABLE error_window (
  stream_id  INT UNSIGNED NOT NULL,
  part       INT UNSIGNED NOT NULL,
  start_s    BIGINT NOT NULL,                      -- a multiple of 60
  service    VARCHAR(200) NOT NULL,
  text_hash  BIGINT UNSIGNED NOT NULL,
  message    VARCHAR(300) NOT NULL,
  line_count BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (stream_id, part, start_s, service, text_hash),
  KEY error_window_start (start_s)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE alert_partition (
  stream_id    INT UNSIGNED NOT NULL,
  part         INT UNSIGNED NOT NULL,
  epoch        BIGINT NOT NULL DEFAULT 0,
  owner        VARCHAR(128) NOT NULL DEFAULT '',
  next_offset  BIGINT NOT NULL DEFAULT 0,          -- on logs.enriched: where to read on
  source_next  BIGINT NOT NULL DEFAULT 0,          -- on logs.raw: all below is folded; repeats are dropped by it
  watermark_ns BIGINT NOT NULL DEFAULT 0,
  blind_since  DATETIME(6) NULL,                   -- a gap that could not be filled
  updated_at   DATETIME(6) NOT NULL,
  PRIMARY KEY (stream_id, part)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE alert_partition;
DROP TABLE error_window;
DROP TABLE log_window;
DROP TABLE block_data;
DROP TABLE block_filter;
DROP TABLE block;
DROP TABLE partition_progress;
DROP TABLE stream;
