package input

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

func TestParseTopics(t *testing.T) {
	t.Parallel()
	got, err := ParseTopics([]string{"orders", "audit:billing:json", "x::text"})
	require.NoError(t, err)
	require.Equal(t, []Topic{{"orders", "orders", Auto}, {"audit", "billing", JSON}, {"x", "x", Text}}, got)
	_, err = ParseTopics([]string{"a", "a", ":b", "c:d:xml", "e:f:text:g"})
	for _, want := range []string{"twice", `":b"`, `"xml"`, `"e:f:text:g"`} {
		require.ErrorContains(t, err, want)
	}
}

func TestEveryFormat(t *testing.T) {
	t.Parallel()
	var enc contract.Encoder
	enc.Add(&logrec.Record{Service: "otel", Message: "by OTLP"})
	otlp := enc.AppendTo(nil)
	for name, c := range map[string]struct {
		format      Format
		contentType string
		value       string
		want        []string // service: message
		problem     string
	}{
		"a record":               {Auto, "", `{"service":"own","message":"m"}`, []string{"own: m"}, ""},
		"without a service":      {Auto, "", ` {"message":"m"}`, []string{"topic: m"}, ""},
		"an array":               {Auto, "", `[{"message":"a"},{"message":"b"}]`, []string{"topic: a", "topic: b"}, ""},
		"NDJSON":                 {JSON, "", "{\"message\":\"a\"}\n{\"message\":\"b\"}\n", []string{"topic: a", "topic: b"}, ""},
		"one of two is damaged":  {JSON, "", "{\"message\":\"a\"}\n{\"message\":\n", []string{"topic: a"}, "cannot be read"},
		"text":                   {Auto, "", "just [a] line\n", []string{"topic: just [a] line"}, ""},
		"text that opens a list": {Auto, "", "[error] no list", []string{"topic: [error] no list"}, ""},
		"text by its header":     {Auto, "text/plain", `{"message":"m"}`, []string{`topic: {"message":"m"}`}, ""},
		"OTLP by its header":     {Auto, "application/x-protobuf", string(otlp), []string{"otel: by OTLP"}, ""},
		"OTLP by the setting":    {OTLP, "", string(otlp), []string{"otel: by OTLP"}, ""},
		"binary":                 {Auto, "", "\x00\x01\xff", nil, "neither text"},
		"a tombstone":            {Auto, "", "", nil, ""},
		"damaged OTLP":           {OTLP, "", "\xff\xff", nil, "offset"},
	} {
		var b contract.Batch
		err := Topic{Name: "topic", Service: "topic", Format: c.format}.decode(&b, message{value: []byte(c.value), contentType: c.contentType, time: 7})
		if c.problem == "" {
			require.NoError(t, err, name)
		} else {
			require.Error(t, err, name)
		}
		var got []string
		for _, r := range b.Records {
			require.EqualValues(t, 7, r.Observed, name)
			got = append(got, r.Service+": "+r.Message)
		}
		require.Equal(t, c.want, got, name)
	}
}

// FuzzDecode: no bytes whatever stop a partition.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"message":"m"}`), "", "auto")
	f.Fuzz(func(t *testing.T, value []byte, contentType, format string) {
		var b contract.Batch
		_ = Topic{Name: "t", Service: "t", Format: Format(format)}.decode(&b, message{value: value, contentType: contentType})
	})
}

// shared is Logmill's Kafka as all writers of a partition see it.
type shared struct {
	owner *fake
	next  []byte
	got   map[string]int
	dead  int
	rng   *rand.Rand
}

// fake is a writer that another one can fence, and whose commits fail before or after they are stored.
type fake struct{ s *shared }

func (f *fake) Load(_ context.Context, key string) (map[string][]byte, error) {
	if f.s.next == nil {
		return nil, nil
	}
	return map[string][]byte{key: f.s.next}, nil
}

func (f *fake) Commit(_ context.Context, t exact.Transaction) error {
	switch {
	case f.s.owner != f:
		return exact.ErrFenced
	case f.s.rng.IntN(5) == 0:
		return errors.New("not stored")
	}
	for _, r := range t.Parts[0].Records {
		f.s.got[r.Message]++
	}
	f.s.dead += len(t.Dead)
	f.s.next = t.Positions[0].Value
	if f.s.rng.IntN(5) == 0 {
		return errors.New("stored, but nobody says so")
	}
	return nil
}

func (f *fake) Close() {}

// TestTwoOwnersOfAPartition: an old owner and a new one send the same messages in batches of different size, fence each other, and fail at
// random: each message is sent once, and each that cannot be read is one dead letter.
func TestTwoOwnersOfAPartition(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		s := &shared{got: map[string]int{}, rng: rand.New(rand.NewPCG(seed, 3))}
		m := newMetrics(prometheus.NewRegistry())
		var workers []*worker
		for range 2 {
			workers = append(workers, &worker{
				topic: Topic{Name: "t", Service: "t", Format: JSON}, key: "k", guard: func() error { return nil }, metrics: m, log: zerolog.Nop(), mark: func(int64) {},
				open: func(context.Context) (sink, error) { s.owner = &fake{s}; return s.owner, nil },
			})
		}
		const messages = 60
		at := [2]int64{}
		for at[0] < messages || at[1] < messages {
			i := s.rng.IntN(2)
			w := workers[i]
			if at[i] >= messages {
				continue
			}
			if len(w.held) == 0 {
				for range min(1+s.rng.Int64N(9), messages-at[i]-int64(len(w.held))) {
					o := at[i] + int64(len(w.held))
					value := fmt.Sprintf(`{"message":"m%d"}`, o)
					if o%10 == 0 {
						value = "{"
					}
					w.held = append(w.held, message{offset: o, value: []byte(value)})
				}
			}
			if w.try(t.Context()) == nil {
				at[i], w.held = w.held[len(w.held)-1].offset+1, nil
			}
		}
		require.Equal(t, messages/10, s.dead)
		require.Len(t, s.got, messages-messages/10)
		for msg, n := range s.got {
			require.Equal(t, 1, n, msg)
		}
	}
}
