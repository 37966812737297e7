-- Retention: which lines are not kept any more (docs/blocks.md).
-- +goose Up
ALTER TABLE partition_progress
  ADD COLUMN retained_from_ns BIGINT NOT NULL DEFAULT 0; -- lines received before it were removed by retention; 0: none ever was

-- +goose Down
ALTER TABLE partition_progress DROP COLUMN retained_from_ns;
