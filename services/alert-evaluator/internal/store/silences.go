package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
)

// silences are what people did to silences, as the engine's commands.
func silences(ctx context.Context, tx *sql.Tx, since int64) (out []engine.Command, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT seq, effective_ns, silence_id, definition, expired, author FROM silence_version WHERE seq > ? ORDER BY seq`, since)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		c := engine.Command{Kind: engine.CommandSilence}
		var id int64
		var definition []byte
		var expired bool
		if err := rows.Scan(&c.ID, &c.Effective, &id, &definition, &expired, &c.Who); err != nil {
			return nil, err
		}
		c.Silence = strconv.FormatInt(id, 10)
		var s rule.Silence
		if json.Unmarshal(definition, &s) != nil || expired { // what the api never wrote silences nothing
			c.Kind = engine.CommandExpire
		}
		c.Matchers, c.From, c.Until = s.Matchers, s.StartsAt.UnixNano(), s.EndsAt.UnixNano()
		out = append(out, c)
	}
	return out, rows.Err()
}
