package ctl

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/logmill/logmill/services/api/internal/ctl/screen"
)

// json writes a value as one line.
func (t *tool) json(v any) error {
	enc := json.NewEncoder(t.env.Out)
	enc.SetEscapeHTML(false) // operators are < and >
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// line writes bytes as they are, and the end of a line.
func (t *tool) line(raw []byte) error {
	_, err := t.env.Out.Write(append(raw, '\n'))
	return err
}

// time is a moment as tables show it.
func (t *tool) time(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	if t.local {
		return at.Local().Format("2006-01-02 15:04:05.000 MST")
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z")
}

func number(v *float64) string {
	if v == nil {
		return "no data"
	}
	return strconv.FormatFloat(*v, 'g', 8, 64)
}

// severityStyle is how bad it looks.
func severityStyle(severity string) screen.Style {
	return map[string]screen.Style{"critical": screen.Alarm, "high": screen.Red, "medium": screen.Yellow, "low": screen.Cyan}[severity]
}

// ruleStyle is how bad a rule's state looks.
func ruleStyle(state string) screen.Style {
	return map[string]screen.Style{"firing": screen.Red, "error": screen.Alarm, "blind": screen.Alarm, "overflow": screen.Yellow, "pending": screen.Yellow, "ok": screen.Green, "disabled": screen.Dim}[state]
}

// levelStyle is how bad a line looks.
func levelStyle(level string) screen.Style {
	return map[string]screen.Style{"fatal": screen.Alarm, "error": screen.Red, "warn": screen.Yellow, "info": screen.Green, "debug": screen.Dim, "trace": screen.Dim}[level]
}
