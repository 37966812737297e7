package app

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	rows, repeats, gaps, filled, damaged *prometheus.CounterVec
	reloads                              *prometheus.CounterVec
	watermark, blind, lag                *prometheus.GaugeVec
	fenced, diverged                     prometheus.Counter
	events                               *prometheus.CounterVec
	rules                                *prometheus.GaugeVec
	problems                             *prometheus.GaugeVec
	pruned                               *prometheus.CounterVec
	blindRules, watched                  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_evaluator_" + name, Help: help}, []string{"partition"})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "logmill_evaluator_" + name, Help: help}, []string{"partition"})
	}
	m := &metrics{
		rows: counter("rows_total", "Records seen, each once."), repeats: counter("repeats_total", "Messages that were had already."),
		gaps: counter("gaps_total", "Messages with blocks missing before them."), filled: counter("gaps_filled_total", "Gaps that the stored blocks filled."),
		reloads:   counter("reloads_total", "Times that a partition went back to what is stored, because a change of the rules or another owner overtook it."),
		damaged:   counter("damaged_total", "Messages that could not be read."),
		watermark: gauge("watermark_seconds", "The partition's watermark, Unix time."), blind: gauge("blind", "1 while rules on this partition cannot see all records."),
		lag:    gauge("lag_messages", "Messages of logs.enriched not yet read."),
		fenced: prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_evaluator_fenced_total", Help: "Commits that another owner was faster with."}),
	}
	m.events = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_evaluator_events_total", Help: "Alert events decided, by status and reason."}, []string{"status", "reason"})
	m.rules = gauge("rules", "Rules in force that the partition decides.")
	m.diverged = prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_evaluator_diverged_total", Help: "Recoveries that decided other alerts than are stored; anything above 0 is a bug."})
	m.problems = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "logmill_evaluator_problems", Help: "What is wrong with the evaluation of rules now, of all partitions, by kind (docs/blind.md)."}, []string{"kind"})
	m.blindRules = prometheus.NewGauge(prometheus.GaugeOpts{Name: "logmill_evaluator_blind_rules", Help: "Enabled rules that cannot see all their lines, or are not evaluated."})
	m.watched = prometheus.NewGauge(prometheus.GaugeOpts{Name: "logmill_evaluator_watched_seconds", Help: "When this replica last looked for blind rules, Unix time."})
	m.pruned = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_evaluator_pruned_total", Help: "Rows of old history deleted, by table."}, []string{"table"})
	reg.MustRegister(m.pruned, m.problems, m.blindRules, m.watched)
	reg.MustRegister(m.diverged, m.events, m.rules, m.rows, m.reloads, m.repeats, m.gaps, m.filled, m.damaged, m.watermark, m.blind, m.lag, m.fenced)
	return m
}

func label(p int32) string { return strconv.Itoa(int(p)) }
