package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/logmill/logmill/services/api/internal/standing"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

const newestStream = `(SELECT MAX(id) FROM stream)`

// Standings is what evaluators say of how rules stand, at one moment.
func (s *Store) Standings(ctx context.Context) (f standing.Facts, err error) {
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		f = standing.Facts{View: blind.View{Watermarks: map[int32]int64{}}, Firing: map[int64]int{}}
		if err := look(ctx, tx, &f.View); err != nil {
			return err
		}
		if err := problems(ctx, tx, &f.View); err != nil {
			return err
		}
		if f.Sources, err = statuses(ctx, tx); err != nil {
			return err
		}
		return each(ctx, tx, func(r scanner) error {
			var id int64
			var n int
			err := r.Scan(&id, &n)
			f.Firing[id] = n
			return err
		}, `SELECT rule_id, COUNT(*) FROM alert_instance WHERE ends_ns = 0 GROUP BY rule_id`)
	})
	if err != nil {
		return f, fmt.Errorf("reading how rules stand: %w", err)
	}
	return f, nil
}

// each scans all rows of a query.
func each(ctx context.Context, tx *sql.Tx, scan func(scanner) error, query string, args ...any) (err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func look(ctx context.Context, tx *sql.Tx, v *blind.View) error {
	const sinceEpoch = `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', `
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE((SELECT partitions FROM stream WHERE id = `+newestStream+`), 0), `+sinceEpoch+`UTC_TIMESTAMP(6)) * 1000,
 COALESCE((SELECT `+sinceEpoch+`checked_at) * 1000 FROM alert_watch WHERE stream_id = `+newestStream+`), 0)`).Scan(&v.Partitions, &v.Now, &v.Checked); err != nil {
		return err
	}
	return each(ctx, tx, func(r scanner) error {
		var part int32
		var wm int64
		err := r.Scan(&part, &wm)
		v.Watermarks[part] = wm
		return err
	}, `SELECT part, watermark_ns FROM alert_partition WHERE stream_id = `+newestStream)
}

func problems(ctx context.Context, tx *sql.Tx, v *blind.View) error {
	return each(ctx, tx, func(r scanner) error {
		var p blind.Problem
		var id int64
		err := r.Scan(&p.Kind, &p.Partition, &p.Service, &id, &p.Since, &p.Event, &p.Detail)
		p.RuleID = strconv.FormatInt(id, 10)
		v.Problems = append(v.Problems, p)
		return err
	}, `SELECT kind, part, service, rule_id, since_ns, event_ns, detail FROM alert_problem WHERE stream_id = `+newestStream)
}

func statuses(ctx context.Context, tx *sql.Tx) (map[string]engine.Status, error) {
	out := map[string]engine.Status{}
	err := each(ctx, tx, func(r scanner) error {
		var source string
		var raw []byte
		if err := r.Scan(&source, &raw); err != nil {
			return err
		}
		var st engine.Status
		if err := json.Unmarshal(raw, &st); err != nil {
			return fmt.Errorf("reading the status of %s: %w", source, err)
		}
		out[source] = st
		return nil
	}, `SELECT source, status FROM alert_status WHERE stream_id = `+newestStream)
	return out, err
}

// pendingPage are the pending alerts of a page, and where to go on while there are more.
func (s *Store) pendingPage(ctx context.Context, f *AlertFilter) (out []AlertRow, next *AlertCursor, err error) {
	out = []AlertRow{}
	if !f.wantsPending() {
		return out, nil, nil
	}
	all, err := s.pending(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	shown := 0
	if f.Before != nil {
		shown = min(f.Before.Pending, len(all))
	}
	all = all[shown:]
	if len(all) > f.Limit {
		all, next = all[:f.Limit], &AlertCursor{Pending: shown + f.Limit}
	}
	return append(out, all...), next, nil
}

// pending are the alerts whose condition holds, but not yet for long enough, the newest first.
func (s *Store) pending(ctx context.Context, f *AlertFilter) (out []AlertRow, err error) {
	match, err := rule.Matching(f.Labels)
	if err != nil {
		return nil, err
	}
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		out = nil
		sources, err := statuses(ctx, tx)
		if err != nil {
			return err
		}
		rules := map[string]RuleRow{}
		for _, st := range sources {
			for i := range st.Pending {
				p := &st.Pending[i]
				r, ok := rules[p.RuleID]
				if !ok {
					if r, err = scanRule(tx.QueryRowContext(ctx, ruleColumns+` WHERE id = ? AND deleted_at IS NULL`, p.RuleID)); err != nil && !errors.Is(err, sql.ErrNoRows) {
						return err
					}
					rules[p.RuleID] = r
				}
				if a := pendingRow(p, &r); r.ID != 0 && f.wants(&a) && match(a.Labels) {
					out = append(out, a)
				}
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b AlertRow) int {
		return cmp.Or(b.StartsAt.Compare(a.StartsAt), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out, err
}

func (f *AlertFilter) wantsPending() bool {
	return (len(f.States) == 0 || slices.Contains(f.States, AlertPending)) && (f.Silenced == nil || !*f.Silenced)
}

// wants is choose for a pending alert.
func (f *AlertFilter) wants(a *AlertRow) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return (len(f.Severities) == 0 || slices.Contains(f.Severities, a.Severity)) && is(f.Service, a.Service) && is(f.Team, a.Team) &&
		(is(f.Rule, a.RuleName) || f.Rule == strconv.FormatInt(a.RuleID, 10)) && a.StartsAt.UnixNano() < f.End
}

func pendingRow(p *engine.Pending, r *RuleRow) AlertRow {
	fires := time.Unix(0, p.Fires).UTC()
	id := p.Fingerprint + "-" + AlertPending
	return AlertRow{ID: id, Fingerprint: p.Fingerprint, RuleID: r.ID, RuleVersion: p.Version, RuleName: r.Name, Team: r.Team, Severity: r.Severity, Service: p.Labels["service"], Status: AlertPending,
		Value: p.Value, Peak: p.Value, Threshold: r.Threshold, Operator: r.Operator, StartsAt: time.Unix(0, p.Since).UTC(), FiresAt: &fires, Labels: p.Labels, Evidence: []contract.AlertEvidence{},
		Links: map[string]string{"self": "/api/alerts/" + id, "rule": fmt.Sprintf("/api/alert-rules/%d", r.ID)}}
}
