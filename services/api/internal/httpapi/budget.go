package httpapi

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/quota"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/shared/auth"
)

// Budgets bound and watch the routes that read lines.
type Budgets struct {
	Quota *quota.Quota
	Query search.Budget // what one query may use up
	Slow  time.Duration // queries that take longer are logged; 0: none
}

// metered counts what queries read, and tells of slow ones.
type metered struct {
	Searcher
	Budgets
	tails   *quota.Quota
	log     zerolog.Logger
	now     func() time.Time
	refused *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	rows    prometheus.Counter
	bytes   prometheus.Counter
	slow    prometheus.Counter
}

func newMetered(s Searcher, b Budgets, reg prometheus.Registerer, log zerolog.Logger, now func() time.Time) *metered {
	m := &metered{Searcher: s, Budgets: b, log: log, now: now, tails: quota.New(quota.Config{AtOnce: tailsOfOne}, now),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_api_refused_queries_total", Help: "queries that were answered with 429, by why: at_once, budget"}, []string{"reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "logmill_api_query_seconds", Help: "how long requests for lines took, by route", Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 60}}, []string{"route"}),
		rows:    prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_api_query_rows_total", Help: "rows of the blocks that queries read"}),
		bytes:   prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_api_query_bytes_total", Help: "bytes of the blocks that queries read"}),
		slow:    prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_api_slow_queries_total", Help: "queries that took longer than API_SLOW_QUERY"})}
	reg.MustRegister(m.refused, m.seconds, m.rows, m.bytes, m.slow)
	return m
}

// use is what one request has used up.
type use struct {
	mu sync.Mutex
	of float64 // of a query's budget
}

type useKey struct{}

// callerOf is who is asking: the token's or proxy's name, else the address.
func callerOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return cmp.Or(auth.CallerOf(r).Name, host)
}

// bounded lets a request for lines in when its caller may ask for more.
func (m *metered) bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, u := c.Request(), &use{}
		leave, why, err := m.Quota.Enter(callerOf(r))
		if err != nil {
			m.refused.WithLabelValues(why).Inc()
			return err
		}
		began := m.now()
		defer func() {
			m.seconds.WithLabelValues(c.Path()).Observe(m.now().Sub(began).Seconds())
			leave(u.of)
		}()
		ctx := context.WithValue(r.Context(), useKey{}, u)
		c.SetRequest(r.WithContext(context.WithValue(ctx, routeKey{}, c.Path()+" "+callerOf(r))))
		return next(c)
	}
}

// watching lets a tail in when its caller has not too many already.
func (m *metered) watching(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		leave, why, err := m.tails.Enter(callerOf(c.Request()))
		if err != nil {
			m.refused.WithLabelValues(why).Inc()
			return err
		}
		defer leave(0)
		return next(c)
	}
}

type routeKey struct{}

// Search implements Searcher.
func (m *metered) Search(ctx context.Context, q *query.Query) (search.Result, error) {
	began := m.now()
	res, err := m.Searcher.Search(ctx, q)
	m.account(ctx, q, res.Stats, began, res.Reason)
	return res, err
}

// Aggregate implements Searcher.
func (m *metered) Aggregate(ctx context.Context, q *query.Query, wanted []search.Wanted) (search.Sums, error) {
	began := m.now()
	sums, err := m.Searcher.Aggregate(ctx, q, wanted)
	m.account(ctx, q, sums.Stats, began, sums.Reason)
	return sums, err
}

func (m *metered) account(ctx context.Context, q *query.Query, s search.Stats, began time.Time, partial string) {
	took := m.now().Sub(began)
	m.rows.Add(float64(s.Rows))
	m.bytes.Add(float64(s.Bytes))
	if u, ok := ctx.Value(useKey{}).(*use); ok {
		u.mu.Lock()
		u.of += max(float64(s.Rows)/float64(m.Query.Rows), float64(s.Bytes)/float64(m.Query.Bytes), took.Seconds()/m.Query.Time.Seconds())
		u.mu.Unlock()
	}
	if m.Slow <= 0 || took < m.Slow {
		return
	}
	m.slow.Inc()
	text := query.Print(q.Filter)
	where, _ := ctx.Value(routeKey{}).(string)
	m.log.Warn().Str("component", "slow query").Str("request", where).Str("query", text[:min(len(text), maxLoggedQuery)]).Int64("start_ns", q.Start).Int64("end_ns", q.End).Dur("took_ms", took).
		Int("blocks", s.Blocks).Int64("rows", s.Rows).Int64("bytes", s.Bytes).Str("partial", partial).Msg("a query was slow")
}
