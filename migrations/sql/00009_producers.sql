-- The memory by which a batch that was written to logs.raw twice is stored once (docs/adr/0008-batch-identity.md).

-- +goose Up
ALTER TABLE partition_progress
  ADD COLUMN producers BLOB NULL;                  -- highest sequence stored of each producer (processor/internal/dedup)

-- +goose Down
ALTER TABLE partition_progress DROP COLUMN producers;
