package loggen

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// A template is a message with variables: {n} a number, {ms} a duration, {ip} an address, {hex} eight hex digits, {id} a
// long id, {path} a file, {pct} a percentage. Every use gets fresh values.
type template []part

type part struct {
	text     string
	variable string
}

func parseTemplate(s string) template {
	var out template
	for s != "" {
		text, rest, found := strings.Cut(s, "{")
		variable, after, _ := strings.Cut(rest, "}")
		if !found {
			variable, after = "", ""
		}
		out = append(out, part{text, variable})
		s = after
	}
	return out
}

func (t template) append(dst []byte, rng *rand.Rand) []byte {
	for _, p := range t {
		dst = append(dst, p.text...)
		dst = appendVariable(dst, p.variable, rng)
	}
	return dst
}

func appendVariable(dst []byte, kind string, rng *rand.Rand) []byte {
	switch kind {
	case "n":
		return strconv.AppendInt(dst, int64(rng.IntN(1_000_000)), 10)
	case "ms":
		return strconv.AppendInt(dst, int64(rng.ExpFloat64()*80)+1, 10)
	case "pct":
		return strconv.AppendInt(dst, int64(rng.IntN(101)), 10)
	case "ip":
		dst = append(dst, "10."...)
		dst = append(strconv.AppendInt(dst, int64(rng.IntN(256)), 10), '.')
		dst = append(strconv.AppendInt(dst, int64(rng.IntN(256)), 10), '.')
		return strconv.AppendInt(dst, int64(rng.IntN(254)+1), 10)
	case "hex":
		return appendHex(dst, rng, 8)
	case "id":
		return appendHex(dst, rng, 20)
	case "path":
		dst = append(dst, "/var/lib/data/"...)
		dst = append(appendHex(dst, rng, 6), "/seg-"...)
		return strconv.AppendInt(dst, int64(rng.IntN(10000)), 10)
	}
	return dst
}

// Words that templates are made of: 25 subjects × 20 events × 3 contexts are 1,500 templates.
var (
	subjects = []string{
		"connection from {ip}", "request {id}", "session {hex}", "worker {n}", "replica {ip}:{n}", "block blk_{n}", "container {id}", "job {hex}",
		"transaction {id}", "consumer group orders-{n}", "cache shard {n}", "user account {n}", "partition {n}", "upload {path}", "index segment {hex}",
		"lease {hex}", "snapshot {path}", "queue depth {n}", "certificate {hex}", "payment {id}", "health probe {ip}", "checkpoint {n}", "batch {hex}",
		"pod web-{hex}", "volume {path}",
	}
	events = []string{
		"accepted after {ms} ms", "closed by peer with code {n}", "completed, {n} bytes written", "retried, attempt {n} of 5", "moved to {ip}",
		"is waiting for lock {hex}", "expired {n} seconds ago", "was evicted at {pct} % memory", "was replicated to {ip}", "failed checksum {hex}",
		"started on node {ip}", "reached {pct} % of its quota", "was throttled for {ms} ms", "resumed at offset {n}", "was rolled back to version {n}",
		"took {ms} ms longer than expected", "was acknowledged by {ip}", "could not be resolved through {ip}", "was queued behind {n} others", "finished in {ms} ms",
	}
	contexts = []string{" (zone a, build {hex})", " in pipeline ingest-{n}", " while the other members of the group went on"}
)

func allTemplates() []template {
	var out []template
	for _, c := range contexts {
		for _, e := range events {
			for _, s := range subjects {
				out = append(out, parseTemplate(s+" "+e+c))
			}
		}
	}
	return out
}
