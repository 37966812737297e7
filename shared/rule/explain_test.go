package rule

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func compile(t *testing.T, r Rule) *Compiled {
	t.Helper()
	r.Name, r.Enabled = "r", true
	r.Normalize()
	c, err := Compile("1", 1, r)
	require.NoError(t, err)
	return c
}

const errorRate = `COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)`

// TestExplain: what an on-call engineer reads before trusting a rule.
func TestExplain(t *testing.T) {
	t.Parallel()
	low, minute := 3.0, Duration(time.Minute)
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{Condition: errorRate, Threshold: 5, MinSamples: 20},
			"Fires when, over the last 5 minutes, the number of lines where level is 'error', as a percentage of the number of lines, is at least 5 percent. " +
				"There is no value while the window has fewer than 20 lines; then it does not fire, and resolves if it did."},
		{Rule{Condition: "AVG(response_time_ms)", Operator: ">", Threshold: 1000, Filter: "service = 'web' AND (request_path LIKE '/api/%' OR level IN ('error', 'fatal'))", GroupBy: []string{"attributes['zone']", "host"},
			For: 2 * minute, ResolveThreshold: &low, TimeWindow: Window(90 * time.Second)},
			"Fires when, over the last 1 minute 30 seconds, of the lines where service is 'web' and (request_path begins with '/api/' or level is one of 'error' or 'fatal'), for each attribute zone and host, " +
				"the average of response_time_ms is above 1000, and has been for 2 minutes without a break. Once it fires, it goes on while the value is above 3. " +
				"There is no value while no line has response_time_ms; then it does not fire, and resolves if it did."},
		{Rule{Condition: "COUNT(*)", Operator: "<", Threshold: 1, GroupBy: []string{"service"}, NoData: NoDataFiring},
			"Fires when, over the last 5 minutes, for each service, the number of lines is below 1. A group counts from its first line until 1 day after its last; then it is forgotten. " +
				"It fires as well when no lines come at all: that counts as 0."},
		{Rule{Condition: "COUNT(DISTINCT user_id)", Operator: "<=", Threshold: 2, Filter: "env = 'prod'"},
			"Fires when, over the last 5 minutes, of the lines where env is 'prod', the number of different values of user_id is at most 2. It fires as well when no such lines come at all: that counts as 0."},
		{Rule{Condition: "P99(response_time_ms) FILTER (WHERE request_path NOT LIKE '%health%')", Threshold: 250, NoData: NoDataKeep, KeepFiringFor: minute},
			"Fires when, over the last 5 minutes, the 99th percentile of response_time_ms where request_path does not contain 'health', is at least 250. It resolves when that has no longer been so for 1 minute. " +
				"There is no value while no line counts for the 99th percentile of response_time_ms where request_path does not contain 'health'; then it stays as it was."},
		{Rule{Condition: "COALESCE(SUM(response_time_ms), 0) / NULLIF(COUNT(*), 0)", Threshold: 0.5, Operator: "!=", NoData: NoDataFiring, Filter: "message REGEXP 'time.?out' AND NOT (env = 'dev' OR host NOT IN ('a', 'b')) AND NOT response_status >= 500"},
			"Fires when, over the last 5 minutes, of the lines where message matches the regular expression 'time.?out' and not (env is 'dev' or host is none of 'a' or 'b') and response_status is not at least 500, " +
				"(the sum of response_time_ms or, without that, 0) divided by (the number of lines, unless that is 0), is not 0.5. There is no value while the number of lines is 0; then it fires."},
		{Rule{Condition: "COUNT(*) FILTER (WHERE level = 'error') - MAX(IF(response_status > 499, 1, 0)) / 2", Threshold: 250},
			"Fires when, over the last 5 minutes, (the number of lines where level is 'error') minus (the largest (1 if response_status is above 499, otherwise 0) divided by 2), is at least 250. " +
				"There is no value while no line counts for the largest (1 if response_status is above 499, otherwise 0); then it does not fire, and resolves if it did."},
	} {
		require.Equal(t, c.want, compile(t, c.rule).Explain(), c.rule.Condition)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	near, far := 247.0, 100.0
	for _, c := range []struct {
		rule Rule
		want []string
	}{
		{Rule{Condition: errorRate, Threshold: 5, MinSamples: 20}, nil},
		{Rule{Condition: errorRate, Threshold: 5}, []string{"min_samples: is 1: a single line is 0 or 100 percent; 20 is usual"}},
		{Rule{Condition: "P95(response_time_ms)", Threshold: 250, ResolveThreshold: &far}, nil},
		{Rule{Condition: "P95(response_time_ms)", Threshold: 250, ResolveThreshold: &near}, []string{"resolve_threshold: is within the estimate's error of the threshold: the alert may come and go"}},
		{Rule{Condition: "P95(response_time_ms)", Threshold: 250, Operator: "="}, []string{"operator: the value is an estimate, within 1 %: it is hardly ever exactly 250"}},
		{Rule{Condition: "AVG(response_time_ms)", Threshold: 250, Operator: "!="}, []string{"operator: the value is a computed number: it is rarely exactly 250"}},
		{Rule{Condition: "COUNT(*)", Threshold: 250, Operator: "="}, nil},
		{Rule{Condition: "COUNT(DISTINCT user_id)", Threshold: 1000}, nil},
		{Rule{Condition: "COUNT(DISTINCT user_id)", Threshold: 10000}, []string{"threshold: distinct values are counted exactly up to 1024 a bucket and estimated above: from 9750 to 10250 it may be judged either way"}},
		{Rule{Condition: "COUNT(*)", Threshold: 1, GroupBy: []string{"service", "user_id"}}, []string{"group_by: user_id has many values: groups above 1,000 a partition share one alert"}},
	} {
		var got []string
		for _, w := range compile(t, c.rule).Warnings() {
			got = append(got, w.Error())
		}
		require.Equal(t, c.want, got, fmt.Sprint(c.rule.Condition, c.rule.Operator, c.rule.Threshold))
	}
}
