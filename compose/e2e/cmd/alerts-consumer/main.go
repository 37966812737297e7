// Command alerts-consumer says what fires now and then everything that happens to alerts: an example of how to follow Logmill, to the letter
// of docs/alerts-consumer.md. It uses nothing of Logmill's own code: copy it.
//
//	alerts-consumer [--brokers 127.0.0.1:9092] [--prefix ""] [--json]
//
// A line is an event as text, or with --json the CloudEvent as it is. Between what fires now and what comes then is the line "--- following".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "Kafka, host:port, comma-separated")
	prefix := flag.String("prefix", "", "what KAFKA_TOPIC_PREFIX puts before topics")
	asJSON := flag.Bool("json", false, "print events as they are, one a line")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := consumer{brokers: strings.Split(*brokers, ","), state: *prefix + "alerts.state", fired: *prefix + "alerts.fired", alerts: alerts{}, print: printText}
	if *asJSON {
		c.print = printJSON
	}
	if err := c.run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "alerts-consumer:", err)
		os.Exit(1)
	}
}

type consumer struct {
	brokers      []string
	state, fired string // topics
	alerts       alerts
	print        func(event)
}

func (c *consumer) run(ctx context.Context) error {
	// 1. Where alerts.fired ends now. Asked for before alerts.state is read, so that nothing falls between the two.
	_, from, err := c.offsets(ctx, c.fired)
	if err != nil {
		return err
	}
	// 2. alerts.state from its beginning to its end: the last event of each alert. Those that fire, fire now.
	if err := c.snapshot(ctx); err != nil {
		return err
	}
	for _, e := range c.alerts.firing() {
		c.print(e)
	}
	fmt.Println("--- following")
	// 3. alerts.fired from there on. What alerts.state told already comes again, and is dropped.
	return c.read(ctx, c.fired, from, 0, func(r *kgo.Record) bool {
		if e, ok := c.take(r); ok {
			c.print(e)
		}
		return true
	})
}

// quiet is how long nothing may come before a snapshot is taken for complete: what lay last on a compacted topic may be gone.
const quiet = 10 * time.Second

func (c *consumer) snapshot(ctx context.Context) error {
	start, end, err := c.offsets(ctx, c.state)
	if err != nil {
		return err
	}
	left := map[int32]bool{}
	for p := range end {
		if start[p] < end[p] {
			left[p] = true
		}
	}
	if len(left) == 0 {
		return nil
	}
	return c.read(ctx, c.state, start, quiet, func(r *kgo.Record) bool {
		c.take(r)
		if r.Offset+1 >= end[r.Partition] {
			delete(left, r.Partition)
		}
		return len(left) > 0
	})
}

// take is an event that says something new.
func (c *consumer) take(r *kgo.Record) (e event, ok bool) {
	if r.Attrs.IsControl() { // the end of a transaction: it has an offset and says nothing
		return e, false
	}
	e, err := parse(r.Value)
	if err != nil {
		fmt.Fprintf(os.Stderr, "alerts-consumer: %s/%d/%d: %v\n", r.Topic, r.Partition, r.Offset, err) // never let one event stop all others
		return e, false
	}
	return e, c.alerts.take(e)
}

// read gives f the records of a topic until f has had enough, ctx ends, or nothing came for idle (0: for ever).
func (c *consumer) read(ctx context.Context, topic string, from map[int32]int64, idle time.Duration, f func(*kgo.Record) (more bool)) error {
	at := map[int32]kgo.Offset{}
	for p, o := range from {
		at[p] = kgo.NewOffset().At(o)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // what was never committed was never said
		kgo.KeepControlRecords())                     // so that the end of a topic is seen even when a transaction's end lies there
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches, err := poll(ctx, client, idle)
		if err != nil || idle > 0 && fetches.Empty() {
			return err
		}
		for records := fetches.RecordIter(); !records.Done(); {
			if !f(records.Next()) {
				return nil
			}
		}
	}
}

// poll returns nothing when nothing came for idle.
func poll(ctx context.Context, client *kgo.Client, idle time.Duration) (kgo.Fetches, error) {
	waiting := ctx
	if idle > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, idle)
		defer cancel()
	}
	fetches := client.PollFetches(waiting)
	if err := fetches.Err0(); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	var problems []error
	fetches.EachError(func(_ string, _ int32, err error) { problems = append(problems, err) }) // those that waiting does not mend
	return fetches, errors.Join(problems...)
}

// tries, a second apart, bridge a broker that has just started or a topic that was just made.
const tries = 30

// offsets are where a topic's partitions begin and end.
func (c *consumer) offsets(ctx context.Context, topic string) (start, end map[int32]int64, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers...))
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for n := 1; ; n++ {
		first, err1 := admin.ListStartOffsets(ctx, topic)
		last, err2 := admin.ListEndOffsets(ctx, topic)
		if err = errors.Join(err1, err2, first.Error(), last.Error()); err == nil {
			start, end = map[int32]int64{}, map[int32]int64{}
			first.Each(func(o kadm.ListedOffset) { start[o.Partition] = o.Offset })
			last.Each(func(o kadm.ListedOffset) { end[o.Partition] = o.Offset })
			return start, end, nil
		}
		if n == tries || ctx.Err() != nil {
			return nil, nil, fmt.Errorf("asking for the offsets of %s: %w", topic, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
