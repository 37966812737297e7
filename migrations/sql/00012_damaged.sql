-- Stored blocks whose data are not what their checksum says, as scrubbing and merging find them (docs/blocks.md).
-- +goose Up
ALTER TABLE block
  ADD COLUMN damaged_at DATETIME(6) NULL, -- when it was found out; NULL: nothing is known to be wrong
  ADD KEY block_damaged (damaged_at);

-- +goose Down
ALTER TABLE block DROP KEY block_damaged, DROP COLUMN damaged_at;
