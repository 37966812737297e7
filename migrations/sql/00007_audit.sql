-- Who changed what (written by the api, in the transaction of the change).
-- +goose Up
CREATE TABLE audit (
  seq      BIGINT NOT NULL PRIMARY KEY,            -- of rule_clock: the order in which it happened
  at       DATETIME(6) NOT NULL,
  who      VARCHAR(200) NOT NULL,                  -- '' when the caller did not say
  kind     VARCHAR(16) NOT NULL,                   -- rule, silence, alert
  object   VARCHAR(64) NOT NULL,                   -- its id
  name     VARCHAR(200) NOT NULL,                  -- a rule's; of an alert, its rule's
  action   VARCHAR(16) NOT NULL,                   -- create, update, delete, expire, acknowledge, resolve, note
  old_json JSON NULL,                              -- as it was; NULL: there was none
  new_json JSON NULL,                              -- as it is; NULL: there is none any more
  KEY audit_of (kind, object, seq),
  KEY audit_at (at),
  KEY audit_who (who, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- +goose Down
DROP TABLE audit;
