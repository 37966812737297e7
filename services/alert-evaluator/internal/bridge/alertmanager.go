package bridge

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/contract"
)

// amAlert is a postableAlert of Alertmanager's API v2. EndsAt is nil while it fires.
type amAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       *time.Time        `json:"endsAt,omitempty"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// alertOf is an event as Alertmanager takes it; base is put before its link. An acknowledged alert fires like any other: not to post it would
// resolve it, and whom to leave in peace is Alertmanager's to say.
func alertOf(e *contract.AlertEvent, base string) amAlert {
	labels := map[string]string{"severity": e.Data.Severity, "team": e.Data.Team}
	maps.Copy(labels, e.Data.Labels)
	a := amAlert{Labels: named(labels), Annotations: named(e.Data.Annotations), StartsAt: e.Data.StartsAt, GeneratorURL: base + e.Data.Links["rule"]}
	if resolved(e) {
		ends := e.Time
		if e.Data.EndsAt != nil {
			ends = *e.Data.EndsAt
		}
		a = a.endedAt(ends)
	}
	return a
}

func resolved(e *contract.AlertEvent) bool { return e.Data.Status == "resolved" }

// endedAt is the alert resolved; Alertmanager refuses one that ends before it starts.
func (a amAlert) endedAt(t time.Time) amAlert {
	if t.Before(a.StartsAt) {
		t = a.StartsAt
	}
	a.EndsAt = &t
	return a
}

// named gives each entry a name that Alertmanager accepts: it refuses an alert with a label or annotation like service.name. Names that
// become the same are told apart by a number, in the order of the originals, and those that were fine keep theirs.
func named(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	var odd []string
	for k, v := range in {
		switch {
		case v == "": // the same as absent
		case plain(k) == k:
			out[k] = v
		default:
			odd = append(odd, k)
		}
	}
	slices.Sort(odd)
	for _, k := range odd {
		name := plain(k)
		for n := 2; ; n++ {
			if _, taken := out[name]; !taken {
				break
			}
			name = plain(k) + "_" + strconv.Itoa(n)
		}
		out[name] = in[k]
	}
	return out
}

// plain is name with all but [a-zA-Z0-9_] replaced, and no digit in front.
func plain(name string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		return "_" + out
	}
	return out
}
