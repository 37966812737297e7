package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// AlertStats are counts of the episodes that began in a range, and of the alerts that are pending now.
type AlertStats struct {
	Start      time.Time        `json:"start"`
	End        time.Time        `json:"end"`
	Total      int64            `json:"total"` // episodes
	ByStatus   map[string]int64 `json:"by_status"`
	BySeverity map[string]int64 `json:"by_severity"`
	ByRule     map[string]int64 `json:"by_rule"` // by name; as the other maps, the hundred largest
	ByService  map[string]int64 `json:"by_service"`
	ByTeam     map[string]int64 `json:"by_team"`
	Silenced   int64            `json:"silenced"` // of those that fire
	Means
	Points []AlertPoint `json:"points,omitempty"`
}

// Means are seconds; null when there is nothing to take a mean of.
type Means struct {
	ToAcknowledge *float64 `json:"mean_seconds_to_acknowledge"` // until the first acknowledgement
	ToResolve     *float64 `json:"mean_seconds_to_resolve"`     // of what was over or resolved by hand; not of what a rule's change or deletion ended
}

// AlertPoint are the episodes that began in [Time, Time+step).
type AlertPoint struct {
	Time       time.Time        `json:"time"`
	Total      int64            `json:"total"`
	BySeverity map[string]int64 `json:"by_severity"`
	Means
}

const (
	topStats  = 100
	statsFrom = ` FROM alert_instance i WHERE i.starts_ns >= ? AND i.starts_ns < ?`
	// meanColumns: MIN, because an older release let several people acknowledge one episode.
	meanColumns = `AVG((SELECT MIN(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', c.created_at)) ` + ofEpisode + ` AND c.kind = 'acknowledge') / 1e6 - i.starts_ns / 1e9),
 AVG(IF(i.ends_ns > 0 AND i.reason IN ('condition', 'manual', 'meta'), (i.ends_ns - i.starts_ns) / 1e9, NULL))`
)

// Stats counts the episodes of a filter that began in [f.Start, f.End); step above zero also counts them over time, in steps aligned to the epoch.
func (s *Store) Stats(ctx context.Context, f AlertFilter, step time.Duration) (st AlertStats, err error) {
	st = AlertStats{Start: time.Unix(0, f.Start).UTC(), End: time.Unix(0, f.End).UTC(), ByStatus: map[string]int64{}, BySeverity: map[string]int64{}, ByRule: map[string]int64{}, ByService: map[string]int64{}, ByTeam: map[string]int64{}}
	for _, by := range []struct {
		column string
		into   map[string]int64
	}{{alertState, st.ByStatus}, {"i.severity", st.BySeverity}, {"i.rule_name", st.ByRule}, {"i.service", st.ByService}, {"i.team", st.ByTeam}} {
		q := f.ranged(`SELECT ` + by.column + ` AS k, COUNT(*) AS n`)
		q.add(` GROUP BY k ORDER BY n DESC, k LIMIT ?`, topStats)
		if err := s.counts(ctx, q, by.into); err != nil {
			return st, err
		}
	}
	for _, n := range st.ByStatus {
		st.Total += n
	}
	if f.wantsPending() {
		pending, err := s.pending(ctx, &f)
		if err != nil {
			return st, err
		}
		if len(pending) > 0 {
			st.ByStatus[AlertPending] = int64(len(pending))
		}
	}
	q := f.ranged(`SELECT ` + meanColumns + `, COUNT(IF(i.ends_ns = 0 AND JSON_EXTRACT(i.event, '$.annotations.silenced_by') IS NOT NULL, 1, NULL))`)
	if err := s.db.Text.QueryRowContext(ctx, q.text, q.args...).Scan(&st.ToAcknowledge, &st.ToResolve, &st.Silenced); err != nil {
		return st, fmt.Errorf("reading how long alerts take: %w", err)
	}
	if step > 0 {
		st.Points, err = s.points(ctx, &f, step)
	}
	return st, err
}

// ranged begins a statement about the filter's episodes.
func (f *AlertFilter) ranged(columns string) where {
	q := where{text: columns}
	q.add(statsFrom, f.Start, f.End)
	f.choose(&q)
	return q
}

func (s *Store) counts(ctx context.Context, q where, into map[string]int64) error {
	var k string
	var n int64
	return s.scan(ctx, q, func() { into[k] = n }, &k, &n)
}

// points counts over time: a point a step, empty ones too.
func (s *Store) points(ctx context.Context, f *AlertFilter, step time.Duration) (out []AlertPoint, err error) {
	out = []AlertPoint{}
	first := f.Start / int64(step)
	for at := first; at*int64(step) < f.End; at++ {
		out = append(out, AlertPoint{Time: time.Unix(0, at*int64(step)).UTC(), BySeverity: map[string]int64{}})
	}
	column := fmt.Sprintf("SELECT i.starts_ns DIV %d AS at, ", int64(step))
	severities := f.ranged(column + `i.severity, COUNT(*)`)
	severities.add(` GROUP BY at, i.severity`)
	var at, n int64
	var severity string
	if err := s.scan(ctx, severities, func() {
		out[at-first].Total += n
		out[at-first].BySeverity[severity] = n
	}, &at, &severity, &n); err != nil {
		return nil, err
	}
	means := f.ranged(column + meanColumns)
	means.add(` GROUP BY at`)
	var m Means
	return out, s.scan(ctx, means, func() { out[at-first].Means, m = m, Means{} }, &at, &m.ToAcknowledge, &m.ToResolve)
}

// scan calls row after each row that it has scanned into dest.
func (s *Store) scan(ctx context.Context, q where, row func(), dest ...any) (err error) {
	rows, err := s.db.Text.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		row()
	}
	return rows.Err()
}
