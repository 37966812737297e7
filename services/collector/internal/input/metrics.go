package input

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	messages, records, dead, missed *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_input_" + name, Help: help}, []string{"topic"})
	}
	m := &metrics{
		messages: counter("messages_total", "Messages of input topics sent home."), records: counter("records_total", "Records in them."),
		dead: counter("dead_total", "Messages that could not be read, wholly or in part; they are on logs.dead."), missed: counter("missed_total", "Offsets that the topic's retention deleted before they were read."),
	}
	reg.MustRegister(m.messages, m.records, m.dead, m.missed)
	return m
}

func (m *metrics) sent(topic string, messages, records, dead int) {
	m.messages.WithLabelValues(topic).Add(float64(messages))
	m.records.WithLabelValues(topic).Add(float64(records))
	m.dead.WithLabelValues(topic).Add(float64(dead))
}
