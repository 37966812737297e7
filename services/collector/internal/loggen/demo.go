package loggen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// demo is a small shop: a dozen services, traces that cross them, a daily rhythm, and incidents by script, so that dashboards and
// alerts have something to show.
type demo struct {
	rng     *rand.Rand
	start   time.Time
	pending []line // of the trace under way, in order
	director
}

func newDemo(seed uint64) *demo { return &demo{rng: rand.New(rand.NewPCG(seed, 2))} }

// hop is one service's part in a journey.
type hop struct{ service, method, path, message string }

// journeys are what users do, with a weight each.
var journeys = []struct {
	weight int
	hops   []hop
}{
	{50, []hop{{"web-gateway", "GET", "/products/%d", "product page served"}, {"catalog", "GET", "/internal/products/%d", "product %d read from cache"}, {"recommendations", "", "", "12 recommendations for product %d"}}},
	{25, []hop{{"web-gateway", "GET", "/search", "search answered"}, {"search", "GET", "/internal/search", "query matched %d products"}}},
	{12, []hop{{"web-gateway", "POST", "/cart", "item added to cart"}, {"cart", "POST", "/internal/cart/%d", "cart %d updated"}, {"inventory", "GET", "/internal/stock/%d", "stock of product %d checked"}}},
	{6, []hop{{"web-gateway", "POST", "/checkout", "checkout started"}, {"checkout", "POST", "/internal/orders", "order %d created"}, {"payments", "POST", "/internal/charges", "charge for order %d authorised by acquirer"},
		{"inventory", "POST", "/internal/reservations", "reservation for order %d placed"}, {"shipping", "", "", "label for order %d queued"}, {"notifications", "", "", "confirmation for order %d sent"}}},
	{5, []hop{{"auth", "POST", "/login", "user signed in"}}},
	{2, []hop{{"batch-jobs", "", "", "nightly export wrote %d rows"}}},
}

// Append implements Profile.
func (d *demo) Append(dst []byte, t time.Time) []byte {
	if d.start.IsZero() {
		d.start = t
	}
	for {
		if len(d.pending) == 0 {
			d.journey(t)
		}
		l := d.pending[0]
		d.pending = d.pending[1:]
		if i := d.current(t.Sub(d.start)); i == nil {
			return l.append(dst, t)
		} else if at, ok := i.change(d, &l, t); ok {
			return l.append(dst, at)
		}
	}
}

// journey fills pending with the lines of one trace.
func (d *demo) journey(t time.Time) {
	n := d.rng.IntN(100)
	hops := journeys[0].hops
	for _, j := range journeys {
		if n -= j.weight; n < 0 {
			hops = j.hops
			break
		}
	}
	trace, user, id := string(appendHex(nil, d.rng, 32)), fmt.Sprintf("user-%d", d.rng.IntN(2000)), d.rng.IntN(100000)
	for _, h := range hops {
		d.pending = append(d.pending, d.line(h, trace, user, id, t))
	}
}

func (d *demo) line(h hop, trace, user string, id int, t time.Time) line {
	l := line{level: "info", service: h.service, message: numbered(h.message, id), trace: trace, user: user, method: h.method}
	if h.method != "" {
		l.path, l.status = numbered(h.path, id), 200
		// Evenings are busier, and slower.
		busy := 1 + 0.4*math.Sin((float64(t.UTC().Hour())-13)/24*2*math.Pi)
		l.millis = math.Exp(d.rng.NormFloat64()*0.5+3) * busy
	}
	switch n := d.rng.IntN(1000); {
	case n < 12:
		l.level, l.status, l.message = "error", errorStatus(l.status), failures[d.rng.IntN(len(failures))]
	case n < 40:
		l.level, l.message = "warn", "retry "+fmt.Sprint(1+d.rng.IntN(3))+" of 3: "+l.message
	case n < 100:
		l.level = "debug"
	}
	return l
}

var failures = []string{
	"connection to database reset by peer", "upstream timed out after 3000 ms", "invalid session token", "deadlock found when trying to get lock; try restarting transaction",
}

func numbered(format string, id int) string {
	for i := range len(format) - 1 {
		if format[i] == '%' && format[i+1] == 'd' {
			return fmt.Sprintf(format, id)
		}
	}
	return format
}

func errorStatus(status int) int {
	if status == 0 {
		return 0
	}
	return 503
}
