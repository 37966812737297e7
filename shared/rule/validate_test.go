package rule

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBadRules: each mistake is named with its field, and in an expression with its place; all mistakes come at once.
func TestBadRules(t *testing.T) {
	t.Parallel()
	good := func() Rule {
		r := Rule{Name: "r", Condition: "COUNT(*)", Threshold: 1, Enabled: true}
		r.Normalize()
		return r
	}
	r := good()
	require.NoError(t, r.Validate())
	for want, change := range map[string]func(*Rule){
		"threshold: must be a finite number":                       func(r *Rule) { r.Threshold = math.NaN() },
		"threshold: must be a finite":                              func(r *Rule) { r.Threshold = math.Inf(-1) },
		"resolve_threshold: must be a finite number":               func(r *Rule) { v := math.Inf(1); r.ResolveThreshold = &v },
		"condition, at 4097: the text is longer than 4096":         func(r *Rule) { r.Condition = "COUNT(*)" + strings.Repeat(" ", 4089) },
		"condition, at 65:":                                        func(r *Rule) { r.Condition = strings.Repeat("(", 65) + "COUNT(*)" + strings.Repeat(")", 65) },
		"condition, at 17: unknown column statuss":                 func(r *Rule) { r.Condition = "COUNT(CASE WHEN statuss = 1 THEN 1 END)" },
		"filter, at 1: unknown column levle (did you mean level?)": func(r *Rule) { r.Filter = "levle = 'error'" },
		"condition, at 9:":                                         func(r *Rule) { r.Condition = "COUNT(*); DROP TABLE alert_rule" },
		"condition, at 10:":                                        func(r *Rule) { r.Condition = "COUNT(*) FROM mysql.user" },
		"condition, at 2:":                                         func(r *Rule) { r.Condition = "(SELECT MAX(password) FROM mysql.user)" },
		"filter, at 16: unknown function SLEEP":                    func(r *Rule) { r.Filter = "level = 'x' OR SLEEP(10)" },
		"group_by: has more than 4 columns":                        func(r *Rule) { r.GroupBy = []string{"service", "level", "message", "team", "host"} },
		"group_by: response_status is a number":                    func(r *Rule) { r.GroupBy = []string{"response_status"} },
		"time_window: must be between":                             func(r *Rule) { r.TimeWindow = Window(-time.Minute) },
		"operator: \"=>\" is not one of":                           func(r *Rule) { r.Operator = "=>" },
	} {
		r := good()
		change(&r)
		err := r.Validate()
		var field *FieldError
		require.ErrorAs(t, err, &field, want)
		require.Contains(t, err.Error(), want)
	}
	r = good()
	r.Name, r.Threshold, r.Condition = "", math.NaN(), "COUNT("
	var joined interface{ Unwrap() []error }
	require.True(t, errors.As(r.Validate(), &joined))
	require.Len(t, joined.Unwrap(), 3)
}
