package bridge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
)

var t0 = time.Now().Add(-time.Hour).Truncate(time.Second).UTC()

// event is the sequence-th event of an alert; change alters it.
func event(fingerprint string, sequence int64, status string, change ...func(*contract.AlertData)) *contract.AlertEvent {
	e := &contract.AlertEvent{
		SpecVersion: "1.0", ID: contract.AlertID(fingerprint, t0, sequence), Source: "/test", Type: contract.AlertFiring, Time: t0.Add(time.Duration(sequence) * time.Second),
		Subject: "errors", DataContentType: "application/json", DataSchema: contract.AlertDataSchema, PartitionKey: fingerprint, Sequence: fmt.Sprintf("%010d", sequence),
		Data: contract.AlertData{
			Status: status, Fingerprint: fingerprint, Rule: contract.AlertRule{ID: "1", Name: "errors", Version: 1}, Severity: "high", Team: "payments",
			Labels: map[string]string{"alertname": "errors", "env": "prod", "fp": fingerprint}, Annotations: map[string]string{"summary": "it broke"}, StartsAt: t0,
			Links: map[string]string{"rule": "/api/alert-rules/1"},
		},
	}
	if status == "resolved" {
		e.Type, e.Data.EndsAt = contract.AlertResolved, &e.Time
	}
	for _, f := range change {
		f(&e.Data)
	}
	return e
}

func silenced(d *contract.AlertData) { d.Annotations[silencedBy] = "ann" }

func severity(s string) func(*contract.AlertData) {
	return func(d *contract.AlertData) { d.Severity = s }
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	all := Route{Receiver: "r"}
	for name, c := range map[string]struct {
		routes []Route
		change func(*contract.AlertData)
		want   string
	}{
		"no routes":            {nil, nil, outcomeUnrouted},
		"another's route":      {[]Route{{Receiver: "x"}}, nil, outcomeUnrouted},
		"everything":           {[]Route{all}, nil, outcomeSent},
		"silenced":             {[]Route{all}, silenced, outcomeSilenced},
		"silenced, unrouted":   {nil, silenced, outcomeUnrouted},
		"acknowledged":         {[]Route{all}, func(d *contract.AlertData) { d.Annotations["acknowledged_by"] = "ann" }, outcomeSent},
		"severity":             {[]Route{{Receiver: "r", Severity: []string{"low", "high"}}}, nil, outcomeSent},
		"other severity":       {[]Route{{Receiver: "r", Severity: []string{"low"}}}, nil, outcomeUnrouted},
		"team":                 {[]Route{{Receiver: "r", Team: []string{"payments"}}}, nil, outcomeSent},
		"no team":              {[]Route{{Receiver: "r", Team: []string{"payments"}}}, func(d *contract.AlertData) { d.Team = "" }, outcomeUnrouted},
		"label":                {[]Route{{Receiver: "r", Labels: map[string]string{"env": "prod"}}}, nil, outcomeSent},
		"one label of two":     {[]Route{{Receiver: "r", Labels: map[string]string{"env": "prod", "zone": "a"}}}, nil, outcomeUnrouted},
		"absent is not empty":  {[]Route{{Receiver: "r", Labels: map[string]string{"zone": ""}}}, nil, outcomeUnrouted},
		"all of one route":     {[]Route{{Receiver: "r", Severity: []string{"high"}, Team: []string{"x"}}}, nil, outcomeUnrouted},
		"the second route":     {[]Route{{Receiver: "r", Team: []string{"x"}}, {Receiver: "r", Severity: []string{"high"}}}, nil, outcomeSent},
		"labels see no others": {[]Route{{Receiver: "r", Labels: map[string]string{"severity": "high"}}}, nil, outcomeUnrouted},
	} {
		e := event("f", 1, "firing")
		if c.change != nil {
			c.change(&e.Data)
		}
		require.Equal(t, c.want, File{Routes: c.routes}.verdict("r", &e.Data), name)
	}
}

func TestAlertOf(t *testing.T) {
	t.Parallel()
	e := event("f", 3, "firing", func(d *contract.AlertData) {
		d.Labels = map[string]string{"alertname": "errors", "team": "mine", "service.name": "a", "service-name": "b", "service_name": "c", "9": "d", "none": ""}
	})
	require.Equal(t, amAlert{
		Labels:      map[string]string{"alertname": "errors", "severity": "high", "team": "mine", "service_name": "c", "service_name_2": "b", "service_name_3": "a", "_9": "d"},
		Annotations: map[string]string{"summary": "it broke"}, StartsAt: t0, GeneratorURL: "http://logs/api/alert-rules/1",
	}, alertOf(e, "http://logs"))
	require.Equal(t, t0.Add(3*time.Second), *alertOf(event("f", 3, "resolved"), "").EndsAt)
	early := t0.Add(-time.Hour)
	require.Equal(t, t0, *alertOf(event("f", 3, "resolved", func(d *contract.AlertData) { d.EndsAt = &early }), "").EndsAt, "Alertmanager refuses an end before the start")
}

// brief is alerts as "fingerprint:severity", with a ! when ended.
func brief(alerts []amAlert) string {
	var out []string
	for _, a := range alerts {
		s := a.Labels["fp"] + ":" + a.Labels["severity"]
		if a.EndsAt != nil && a.EndsAt.Sub(t0).Abs() < time.Minute { // an event's end, not the one that every post carries
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func due(a *active) string {
	var all []amAlert
	for _, l := range a.due() {
		all = append(all, l.alerts...)
	}
	return brief(all)
}

func TestActive(t *testing.T) {
	t.Parallel()
	a := newActive("", func() {})
	require.Equal(t, "f:high", brief(a.apply(event("f", 1, "firing"), outcomeSent)))
	require.Equal(t, "g:high", brief(a.apply(event("g", 1, "firing"), outcomeSent)))
	require.Equal(t, "f:high g:high", due(a))

	require.Equal(t, "f:high! f:critical", brief(a.apply(event("f", 2, "firing", severity("critical")), outcomeSent)), "another alert for Alertmanager")
	require.Equal(t, "f:high! f:critical g:high", due(a), "until told")
	a.told("f")
	require.Equal(t, "f:critical g:high", due(a))

	require.Equal(t, "f:critical!", brief(a.apply(event("f", 3, "resolved", severity("critical")), outcomeSent)))
	require.Equal(t, "f:critical! g:high", due(a))
	require.Equal(t, "f:critical", brief(a.apply(event("f", 4, "firing", severity("critical")), outcomeSent)), "it fires again: the end that was not told must not end it")
	require.Equal(t, "f:critical g:high", due(a))

	require.Empty(t, a.apply(event("g", 2, "firing", silenced), outcomeSilenced))
	require.Equal(t, "f:critical", due(a), "silenced: not posted again")
	require.Equal(t, "f:critical!", brief(a.apply(event("f", 5, "firing", severity("low")), outcomeUnrouted)), "it left the routes")
	a.told("f")
	require.Empty(t, a.apply(event("f", 6, "firing", severity("low")), outcomeUnrouted))
	require.Empty(t, due(a))
	require.Equal(t, "h:high!", brief(a.apply(event("h", 9, "resolved"), outcomeSent)), "we may have posted it before a restart")
}

func TestActiveRestoredFromState(t *testing.T) {
	t.Parallel()
	a := newActive("", func() {})
	a.restore(event("f", 1, "firing"), outcomeSent)
	a.restore(event("g", 1, "firing"), outcomeSent)
	a.restore(event("g", 2, "resolved"), outcomeSent)
	a.restore(event("h", 1, "firing", silenced), outcomeSilenced)
	a.restore(event("i", 1, "firing"), outcomeUnrouted)
	a.restore(event("j", 1, "firing"), outcomeSent)
	a.forget("j")
	require.Equal(t, "f:high", due(a))
}

func TestDueComesInLots(t *testing.T) {
	t.Parallel()
	a := newActive("", func() {})
	for i := range maxPost + 1 {
		a.apply(event(fmt.Sprintf("%05d", i), 1, "firing"), outcomeSent)
	}
	lots := a.due()
	require.Len(t, lots, 2)
	require.Len(t, lots[0].alerts, maxPost)
	require.Equal(t, []string{fmt.Sprintf("%05d", maxPost)}, lots[1].fingerprints)
}

func TestActiveIsBounded(t *testing.T) {
	t.Parallel()
	dropped := 0
	a := newActive("", func() { dropped++ })
	for i := range maxActive {
		a.alerts[fmt.Sprint(i)] = amAlert{}
		a.ending[fmt.Sprint(i)] = []amAlert{{}}
	}
	require.Equal(t, "f:high", brief(a.apply(event("f", 1, "firing"), outcomeSent)), "it is posted")
	require.Len(t, a.alerts, maxActive, "but not again")
	require.Equal(t, "f:high!", brief(a.apply(event("f", 2, "resolved"), outcomeSent)))
	require.Len(t, a.ending, maxActive)
	require.Equal(t, 2, dropped)
	delete(a.ending, "0")
	for i := range 2 * maxEnds {
		a.apply(event("g", int64(i), "resolved"), outcomeSent)
	}
	require.Len(t, a.ending["g"], maxEnds)
	require.Equal(t, 2+maxEnds, dropped)
}

func TestMemory(t *testing.T) {
	t.Parallel()
	var m memory
	_, known := m.get("f")
	require.False(t, known)
	m.put("f", past{5, true})
	for i := range maxSeen {
		m.put(fmt.Sprint(i), past{})
	}
	p, known := m.get("f")
	require.True(t, known, "one generation later it is known")
	require.Equal(t, past{5, true}, p)
	for i := range 2 * maxSeen {
		m.put(fmt.Sprint("x", i), past{})
	}
	_, known = m.get("f")
	require.False(t, known, "then it is forgotten")
	require.LessOrEqual(t, len(m.young)+len(m.old), 2*maxSeen)
}
