-- Compaction and retention: blocks leave as well as come. What readers may rely on is in docs/blocks.md.
--
-- Every change of a partition's set of blocks takes the next partition_progress.change_seq, in its own transaction: ingest adds a block
-- (block.change_seq), compaction adds one and retires those it replaces, retention retires (block.retired_seq, the same number). At seq S
-- the set is: change_seq <= S AND (retired_seq IS NULL OR retired_seq > S). Retired blocks stay readable for 15 minutes; then their rows
-- are deleted and erased_seq says up to where: a follower that stands below it loads the partition anew.

-- +goose Up
ALTER TABLE partition_progress
  ADD COLUMN erased_seq     BIGINT NOT NULL DEFAULT 0,  -- blocks whose retired_seq is not above it may be gone without a trace
  ADD COLUMN windows_from_s BIGINT NOT NULL DEFAULT 0;  -- log_window and error_window rows that start before it may be gone

ALTER TABLE block
  ADD COLUMN day          INT UNSIGNED NOT NULL DEFAULT 0,    -- of receipt: days since 1970-01-01, UTC; where block_data and block_filter have its rows
  ADD COLUMN raw_bytes    BIGINT UNSIGNED NOT NULL DEFAULT 0, -- of all pages before compression; 0 = not known (older than this column)
  ADD COLUMN filter_bytes INT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN retired_seq  BIGINT NULL,                        -- change_seq at which it left the set; NULL = it is in it
  ADD KEY block_retired (stream_id, part, retired_seq);

UPDATE block b LEFT JOIN block_filter f ON f.block_id = b.id
SET b.day = DATEDIFF(b.created_at, '1970-01-01'), b.filter_bytes = COALESCE(LENGTH(f.filter), 0);

-- A day a partition: a day that retention has emptied is dropped, and its file with it. InnoDB gives nothing back for deleted rows. The
-- processor splits pmax into days ahead of time.
ALTER TABLE block_data   ADD COLUMN day INT UNSIGNED NOT NULL DEFAULT 0, DROP PRIMARY KEY, ADD PRIMARY KEY (block_id, day);
ALTER TABLE block_filter ADD COLUMN day INT UNSIGNED NOT NULL DEFAULT 0, DROP PRIMARY KEY, ADD PRIMARY KEY (block_id, day);
UPDATE block_data d   JOIN block b ON b.id = d.block_id SET d.day = b.day;
UPDATE block_filter f JOIN block b ON b.id = f.block_id SET f.day = b.day;
ALTER TABLE block_data   PARTITION BY RANGE (day) (PARTITION pmax VALUES LESS THAN MAXVALUE);
ALTER TABLE block_filter PARTITION BY RANGE (day) (PARTITION pmax VALUES LESS THAN MAXVALUE);

-- +goose Down
ALTER TABLE block_filter REMOVE PARTITIONING;
ALTER TABLE block_data   REMOVE PARTITIONING;
ALTER TABLE block_filter DROP PRIMARY KEY, DROP COLUMN day, ADD PRIMARY KEY (block_id);
ALTER TABLE block_data   DROP PRIMARY KEY, DROP COLUMN day, ADD PRIMARY KEY (block_id);
ALTER TABLE block DROP KEY block_retired, DROP COLUMN day, DROP COLUMN raw_bytes, DROP COLUMN filter_bytes, DROP COLUMN retired_seq;
ALTER TABLE partition_progress DROP COLUMN erased_seq, DROP COLUMN windows_from_s;
