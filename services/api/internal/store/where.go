package store

import "strings"

// where is a statement that grows by clauses of our own text, each with its arguments.
type where struct {
	text string
	args []any
}

func (w *where) add(clause string, args ...any) {
	w.text += clause
	w.args = append(w.args, args...)
}

// in adds "clause ?, ?, …)", nothing for no values.
func (w *where) in(clause string, values []string) {
	if len(values) == 0 {
		return
	}
	w.text += clause + strings.TrimSuffix(strings.Repeat("?,", len(values)), ",") + ")"
	for _, v := range values {
		w.args = append(w.args, v)
	}
}

// equal adds clause for a value that is given.
func (w *where) equal(clause, value string) {
	if value != "" {
		w.add(clause, value)
	}
}
