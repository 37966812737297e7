package app

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// deaths writes letters as the services do.
type deaths struct {
	t      *testing.T
	db     *mysqlx.DB
	client *bus.Client
	out    *bus.Publisher
	stream uint32
}

func newDeaths(t *testing.T, kafka config.Kafka, db *mysqlx.DB) *deaths {
	t.Helper()
	d := &deaths{t: t, db: db, client: testkit.BusClient(t, kafka), out: bus.NewPublisher(kafka, "test", false, zerolog.Nop()), stream: 7}
	t.Cleanup(func() { _ = d.out.Close() })
	cluster, id, n, err := d.client.Identity(t.Context(), contract.TopicRaw)
	require.NoError(t, err)
	_, err = db.Text.Exec(`INSERT INTO stream VALUES (7, ?, ?, ?, ?, NOW())`, cluster, kafka.Topic(contract.TopicRaw), id, n)
	require.NoError(t, err)
	return d
}

func (d *deaths) letter(where contract.Dead, payload string, recorded bool) {
	d.t.Helper()
	hs := append(where.Headers(), contract.Header{Key: contract.HeaderContentType, Value: contract.ContentTypeJSON})
	require.NoError(d.t, d.out.Publish(d.t.Context(), contract.TopicDead, bus.ByKey, []byte("k"), []byte(payload), hs))
	if recorded {
		_, err := d.db.Text.Exec(`INSERT INTO dead_letter (stream_id, part, raw_offset, kind, only_rows, at_ns, import, died_at) VALUES (?, ?, ?, ?, '', 1, 0, UTC_TIMESTAMP(6))`, where.Stream, where.Partition, where.Offset, where.Kind)
		require.NoError(d.t, err)
	}
}

func (d *deaths) ofRaw(kind string, p int32, offset int64) contract.Dead {
	return contract.Dead{Error: kind + ": because", Kind: kind, Component: "processor", Topic: contract.TopicRaw, Stream: d.stream, Partition: p, Offset: offset, Time: noon.UnixNano()}
}

// raw is what lies on a partition of logs.raw.
func (d *deaths) raw(p int32) (out []bus.Record) {
	d.t.Helper()
	end, err := d.client.EndOffset(d.t.Context(), contract.TopicRaw, p)
	require.NoError(d.t, err)
	require.NoError(d.t, d.client.Read(d.t.Context(), contract.TopicRaw, p, 0, end, func(r bus.Record) error { out = append(out, r); return nil }))
	return out
}

func letters(t *testing.T, base, query string) (ids []string, byID map[string]map[string]any, answer map[string]any) {
	t.Helper()
	code, _, answer := call(t, "GET", base+"/api/dead-letters?"+query, "")
	require.Equal(t, 200, code, answer)
	byID = map[string]map[string]any{}
	for _, l := range answer["letters"].([]any) {
		m := l.(map[string]any)
		ids = append(ids, m["id"].(string))
		byID[m["id"].(string)] = m
	}
	return ids, byID, answer
}

func TestDeadLetters(t *testing.T) {
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		base, db := apiOn(t, kafka)
		ids, _, answer := letters(t, base, "")
		require.Empty(t, ids)
		documented(t, base, "DeadLetters", answer)
		d := newDeaths(t, kafka, db)
		d.letter(d.ofRaw("undecodable", 1, 40), "{\"a\u202e\x1b\xff", true)                                                                       // 0-0
		d.letter(d.ofRaw("undecodable", 1, 41), "b", false)                                                                                       // 0-1: of a try that was given up
		d.letter(d.ofRaw("refused", 0, 5), "c", true)                                                                                             // 0-2
		d.letter(d.ofRaw("refused", 0, 5), "c", false)                                                                                            // 0-3: the same once more
		d.letter(contract.Dead{Error: "refused: x", Component: "processor", Topic: contract.TopicRaw, Partition: 0, Offset: 6}, "d", false)       // 0-4: of before
		d.letter(contract.Dead{Error: "401", Kind: contract.DeadUndelivered, Component: "bridge-pager", Topic: contract.TopicAlerts}, "e", false) // 0-5
		require.NoError(t, d.out.Publish(t.Context(), contract.TopicDead, bus.ByKey, []byte("k"), []byte("f"), nil))                              // 0-6

		ids, all, answer := letters(t, base, "")
		documented(t, base, "DeadLetters", answer)
		require.Equal(t, []string{"0-6", "0-5", "0-4", "0-3", "0-2", "0-1", "0-0"}, ids)
		states := map[string]string{}
		for id, l := range all {
			states[id] = fmt.Sprint(l["kind"], " ", l["state"], " ", l["replayable"])
		}
		require.Equal(t, map[string]string{"0-0": "undecodable open true", "0-1": "undecodable unrecorded false", "0-2": "refused open true", "0-3": "refused open true", "0-4": "refused unrecorded false",
			"0-5": "undelivered not_logmill false", "0-6": "foreign not_logmill false"}, states)
		require.Equal(t, `{"a\u202e\u001b\xff`, all["0-0"]["excerpt"])
		require.Equal(t, noon.Format(time.RFC3339), all["0-0"]["received"])
		require.Len(t, answer["counts"], 6)
		for query, want := range map[string][]string{"kind=refused": {"0-4", "0-3", "0-2"}, "state=open&kind=refused": {"0-3", "0-2"}, "component=bridge-pager": {"0-5"}, "start=now%2B1m": nil, "end=now-1h": nil, "limit=1": {"0-6"}} {
			ids, _, _ = letters(t, base, query)
			require.Equal(t, want, ids, query)
		}
		_, _, answer = letters(t, base, "limit=4")
		ids, _, answer = letters(t, base, "limit=4&cursor="+answer["next_cursor"].(string))
		require.Equal(t, []string{"0-2", "0-1", "0-0"}, ids)
		require.Empty(t, answer["next_cursor"])
		code, _, one := call(t, "GET", base+"/api/dead-letters/0-0", "")
		require.Equal(t, 200, code)
		documented(t, base, "DeadLetter", one)
		require.Equal(t, `{"a\u202e\u001b\xff`, one["payload"])
		for _, gone := range []string{"0-99", "1-0", "x"} {
			code, _, _ = call(t, "GET", base+"/api/dead-letters/"+gone, "")
			require.Equal(t, 404, code, gone)
		}
		for _, bad := range []string{`{}`, `{"ids":["0-1"],"kind":"refused"}`, `{"kind":"refused"}`, `{"ids":["1"]}`, `{"ids":["0-1"],"through":"0-1"}`, `{"kind":"refused","through":"9"}`, `{"all":true}`} {
			code, _, _ = call(t, "POST", base+"/api/dead-letters/replay", bad)
			require.Equal(t, 400, code, bad)
		}

		code, _, out := call(t, "POST", base+"/api/dead-letters/replay", `{"ids":["0-0","0-1","0-2","0-3","0-5","0-77"],"note":"mended"}`, "X-Logmill-User", "ann")
		require.Equal(t, 202, code, out)
		documented(t, base, "Replayed", out)
		require.Equal(t, []any{"0-0", "0-2"}, out["sent"])
		require.Len(t, out["skipped"], 4)
		sent := d.raw(1)
		require.Len(t, sent, 1)
		require.Equal(t, "{\"a\u202e\x1b\xff", string(sent[0].Value), "byte for byte")
		require.Equal(t, map[string]string{"content-type": "application/json", "logmill-replay": "7-1-40", "logmill-replayed-by": "ann"}, sent[0].Headers)
		entry, _ := entries(t, base+"/api/audit?kind=dead_letter&action=replay")
		require.Len(t, entry, 1)
		require.Contains(t, entry[0], "ann replay dead_letter 0-0")

		// The processor has stored one of them, and the other is a letter again.
		_, err := db.Text.Exec(`UPDATE dead_letter SET replayed_as = 0, replayed_by = 'ann', replayed_at = UTC_TIMESTAMP(6)`)
		require.NoError(t, err)
		d.letter(d.ofRaw("refused", 0, 0), "c", true) // 0-7
		_, err = db.Text.Exec(`UPDATE dead_letter SET replay_of = 5 WHERE raw_offset = 0`)
		require.NoError(t, err)
		_, all, answer = letters(t, base, "")
		documented(t, base, "DeadLetters", answer)
		require.Equal(t, "replayed", all["0-0"]["state"])
		require.Equal(t, "dead_again", all["0-2"]["state"])
		require.Equal(t, "0-7", all["0-2"]["replay"].(map[string]any)["letter"])
		require.Contains(t, []any{"0-2", "0-3"}, all["0-7"]["replay_of"])
		_, _, one = call(t, "GET", base+"/api/dead-letters/0-2", "")
		require.Equal(t, all["0-2"]["replay"], one["replay"])
		code, _, out = call(t, "POST", base+"/api/dead-letters/replay", `{"kind":"refused","through":"0-6"}`)
		require.Equal(t, 202, code)
		require.Empty(t, out["sent"], "the letter of after what was seen is left alone")
		_, _, out = call(t, "POST", base+"/api/dead-letters/replay", `{"kind":"refused","through":"0-7"}`)
		require.Equal(t, []any{"0-7"}, out["sent"])
	})
}

// TestManyDeadLetters are read in portions, and sent back with what was seen by all who click at the same time.
func TestManyDeadLetters(t *testing.T) {
	t.Parallel()
	kafka := testkit.Kafka(t)
	base, db := apiOn(t, kafka)
	d := newDeaths(t, kafka, db)
	const n = 300
	for i := range int64(n) {
		d.letter(d.ofRaw("panic", 0, i), fmt.Sprint(i), true)
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		ids, _, answer := letters(t, base, "limit=120&cursor="+cursor)
		for _, id := range ids {
			require.False(t, seen[id])
			seen[id] = true
		}
		require.Equal(t, false, answer["partial"], answer["partial_reason"])
		if cursor = answer["next_cursor"].(string); cursor == "" {
			break
		}
	}
	require.Len(t, seen, n)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			code, _, out := call(t, "POST", base+"/api/dead-letters/replay", fmt.Sprintf(`{"kind":"panic","through":"0-%d"}`, n-1))
			require.Equal(t, 202, code)
			require.Len(t, out["sent"], n)
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, r := range d.raw(0) {
		require.Equal(t, fmt.Sprintf("7-0-%s", r.Value), r.Headers[contract.HeaderReplay])
		count[string(r.Value)]++
	}
	require.Len(t, count, n)
}

// TestNothingIsSentThatTheAuditDoesNotKnow: who asked is written down first.
func TestNothingIsSentThatTheAuditDoesNotKnow(t *testing.T) {
	t.Parallel()
	kafka := testkit.Kafka(t)
	base, db := apiOn(t, kafka)
	d := newDeaths(t, kafka, db)
	d.letter(d.ofRaw("panic", 0, 0), "x", true)
	_, err := db.Text.ExecContext(context.Background(), `ALTER TABLE audit ADD CONSTRAINT full CHECK (seq < 0)`)
	require.NoError(t, err)
	code, _, _ := call(t, "POST", base+"/api/dead-letters/replay", `{"ids":["0-0"]}`)
	require.Equal(t, 500, code)
	require.Empty(t, d.raw(0))
}
