package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/rule"
)

// fakeAPI answers like the api's rule routes: two pages of disabled rules, by ids.
type fakeAPI struct {
	authors map[string]string // of the first version
	changed map[string]rule.Rule
	match   []string
	tokens  map[string]bool
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.tokens[r.Header.Get("Authorization")] = true
	var id string
	if _, err := fmt.Sscanf(r.URL.Path, "/api/alert-rules/%s", &id); err != nil {
		answer := map[string]any{"rules": []any{map[string]any{"id": 1, "version": 1, "state": "disabled"}, map[string]any{"id": 2, "version": 2}}, "next_cursor": "more"}
		if r.URL.Query().Get("cursor") == "more" {
			answer = map[string]any{"rules": []any{map[string]any{"id": 3, "version": 1}, map[string]any{"id": 4, "version": 1}}, "next_cursor": ""}
		}
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	if r.Method == http.MethodPut {
		var on rule.Rule
		_ = json.NewDecoder(r.Body).Decode(&on)
		f.changed[id] = on
		f.match = append(f.match, r.Header.Get("If-Match"))
		w.WriteHeader(http.StatusOK)
		return
	}
	id = id[:1] // …/versions
	_ = json.NewEncoder(w).Encode(map[string]any{"versions": []any{map[string]any{"version": 1, "author": f.authors[id], "rule": rule.Rule{Name: "rule " + id, Condition: "COUNT(*)", Threshold: 5}}}})
}

func TestOnlyUntouchedSampleRulesAreEnabled(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{authors: map[string]string{"1": author, "2": author, "3": "ann", "4": author}, changed: map[string]rule.Rule{}, tokens: map[string]bool{}}
	s := httptest.NewServer(api)
	defer s.Close()
	names, err := EnableRules(t.Context(), s.URL, "lm_x")
	require.NoError(t, err)
	require.Equal(t, []string{"rule 1", "rule 4"}, names, "2 was changed since, 3 is a user's own")
	require.Equal(t, []string{`"1"`, `"1"`}, api.match, "who changes it at the same moment wins")
	require.Equal(t, map[string]bool{"Bearer lm_x": true}, api.tokens)
	require.Equal(t, rule.Rule{Name: "rule 1", Condition: "COUNT(*)", Threshold: 5, Enabled: true, TimeWindow: rule.Window(time.Minute), KeepFiringFor: rule.Duration(15 * time.Second)}, api.changed["1"])
}

func TestAnErrorNamesTheRule(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, err := EnableRules(t.Context(), s.URL, "lm_x")
	require.ErrorContains(t, err, "GET /api/alert-rules?enabled=false&limit=500&cursor= answers 404")
}
