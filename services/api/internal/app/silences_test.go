package app

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSilenceLifeCycle(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	silences := url + "/api/silences"
	code, h, made := call(t, "POST", silences, `{"matchers":[{"name":"service","value":"web|db","isRegex":true},{"name":"severity","value":"low","isEqual":false}],"ends_at":"now+2h","created_by":"ann","comment":"maintenance"}`)
	require.Equal(t, 201, code, made)
	require.Regexp(t, `^"1-`, h.Get("ETag"))
	require.Equal(t, "active", made["state"])
	require.Equal(t, []any{map[string]any{"name": "service", "value": "web|db", "isRegex": true, "isEqual": true}, map[string]any{"name": "severity", "value": "low", "isRegex": false, "isEqual": false}}, made["matchers"])
	one := url + h.Get("Location")
	documented(t, url, "StoredSilence", made)

	later := time.Now().Add(time.Hour).UTC()
	code, h, made = call(t, "POST", silences, fmt.Sprintf(`{"matchers":[{"name":"team","value":"shop"}],"starts_at":%d,"ends_at":%q}`, later.Unix(), later.Add(time.Hour).Format(time.RFC3339)), "X-Logmill-User", "bob")
	require.Equal(t, 201, code, made)
	require.Equal(t, []any{"pending", "bob"}, []any{made["state"], made["created_by"]})
	two := url + h.Get("Location")

	code, _, got := call(t, "PUT", one, `{"matchers":[{"name":"service","value":"web"}],"ends_at":"now+3h","comment":"longer"}`, "If-Match", `"1"`, "X-Logmill-User", "bob")
	require.Equal(t, 200, code, got)
	require.Equal(t, []any{2.0, "longer"}, []any{got["version"], got["comment"]})
	code, _, _ = call(t, "PUT", one, `{"matchers":[{"name":"service","value":"web"}],"ends_at":"now+3h","created_by":"ann"}`, "If-Match", `"1"`)
	require.Equal(t, 412, code, "somebody else was faster")
	code, _, got = call(t, "PUT", one, `{"matchers":[{"name":"service","value":"web"}],"starts_at":"now+1h","ends_at":"now+3h","created_by":"ann"}`)
	require.Equal(t, 409, code, "it has begun: %v", got)
	code, _, got = call(t, "PUT", two, `{"matchers":[{"name":"team","value":"shop"}],"starts_at":"now-5m","ends_at":"now+3h","created_by":"ann"}`)
	require.Equal(t, 200, code)
	require.Equal(t, "active", got["state"], "it may begin sooner, but not in the past")
	_, _, got = call(t, "GET", silences+"?limit=1", "")
	documented(t, url, "Silences", got)
	require.Equal(t, 2.0, got["silences"].([]any)[0].(map[string]any)["id"], "newest first")
	_, _, got = call(t, "GET", silences+"?limit=1&cursor="+got["next_cursor"].(string), "")
	require.Equal(t, 1.0, got["silences"].([]any)[0].(map[string]any)["id"])
	_, _, got = call(t, "GET", silences+"?state=active,pending&created_by=ann", "")
	require.Len(t, got["silences"], 1)

	code, _, _ = call(t, "DELETE", one, "", "If-Match", `"2"`, "X-Logmill-User", "bob")
	require.Equal(t, 204, code)
	_, _, got = call(t, "GET", one, "")
	require.Equal(t, []any{"expired", 3.0}, []any{got["state"], got["version"]}, "it stays readable")
	code, _, _ = call(t, "DELETE", one, "")
	require.Equal(t, 409, code)
	code, _, _ = call(t, "PUT", one, `{"matchers":[{"name":"service","value":"web"}],"ends_at":"now+3h","created_by":"ann"}`)
	require.Equal(t, 409, code)
	code, _, _ = call(t, "GET", silences+"/99", "")
	require.Equal(t, 404, code)
	_, _, got = call(t, "GET", silences+"?state=expired", "")
	require.Len(t, got["silences"], 1)

	var rows []string
	r, err := db.Text.Query(`SELECT CONCAT(silence_id, '/', version, ' ', author, ' ', expired, ' ', effective_ns > UNIX_TIMESTAMP() * 1000000000) FROM silence_version ORDER BY seq`)
	require.NoError(t, err)
	defer r.Close()
	for r.Next() {
		var s string
		require.NoError(t, r.Scan(&s))
		rows = append(rows, s)
	}
	require.NoError(t, r.Err())
	require.Equal(t, []string{"1/1 ann 0 1", "2/1 bob 0 1", "1/2 bob 0 1", "2/2 ann 0 1", "1/3 bob 1 1"}, rows, "what evaluators read, in force in the future")
}

func TestWhatASilenceWouldCover(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	alerts(t, db, time.Now())
	preview := func(matchers string) (firing, pending float64, names string) {
		code, _, got := call(t, "POST", url+"/api/silences/preview", `{"matchers":[`+matchers+`]}`)
		require.Equal(t, 200, code, got)
		documented(t, url, "Covered", got)
		require.Equal(t, false, got["partial"])
		for _, a := range got["alerts"].([]any) {
			names += a.(map[string]any)["rule_name"].(string) + ";"
		}
		return got["firing"].(float64), got["pending"].(float64), names
	}
	covers := func(want []any, matchers string) {
		t.Helper()
		firing, pending, names := preview(matchers)
		require.Equal(t, want, []any{firing, pending, names}, matchers)
	}
	covers([]any{1.0, 1.0, "errors;High error rate;"}, `{"name":"service","value":"web"}`)
	covers([]any{1.0, 2.0, "errors;High error rate;High error rate;"}, `{"name":"rule_id","value":"1"}`)
	covers([]any{2.0, 0.0, "O'Brien;errors;"}, `{"name":"alertname","value":"O'Brien|errors","isRegex":true}`)
	covers([]any{1.0, 0.0, "O'Brien;"}, `{"name":"team","value":".+","isRegex":true},{"name":"severity","value":"critical","isEqual":false}`)
	covers([]any{0.0, 0.0, ""}, `{"name":"service","value":"We[Bb]","isRegex":true}`)

	code, _, got := call(t, "POST", url+"/api/silences/preview", `{"matchers":[{"name":"service","value":"(","isRegex":true}]}`)
	require.Equal(t, 400, code)
	require.Contains(t, fmt.Sprint(got["errors"]), "matchers[0].value")
	code, _, got = call(t, "POST", url+"/api/silences/preview", `{"matchers":[]}`)
	require.Equal(t, 400, code)
	require.Contains(t, fmt.Sprint(got["errors"]), "1 to 32 matchers")
	_, _, got = call(t, "GET", url+"/api/silences", "")
	require.Empty(t, got["silences"], "nothing was stored")
}

func TestSilenceMistakesNameTheirFields(t *testing.T) {
	t.Parallel()
	url, _ := api(t)
	const good = `"ends_at":"now+1h","created_by":"ann"`
	for body, want := range map[string]string{
		`{"matchers":[],` + good + `}`: `a silence has 1 to 32 matchers`,
		`{"matchers":[{"name":"service","value":".*","isRegex":true}],` + good + `}`:                         `at least one must not match the empty text`,
		`{"matchers":[{"name":"service","value":"","isEqual":true}],` + good + `}`:                           `at least one must not match the empty text`,
		`{"matchers":[{"name":"service","value":"web","isEqual":false}],` + good + `}`:                       `at least one must not match the empty text`,
		`{"matchers":[{"name":"a b","value":"x"}],` + good + `}`:                                             `"field":"matchers[0].name"`,
		`{"matchers":[{"name":"a","value":"x"},{"name":"a","value":"(","isRegex":true}],` + good + `}`:       `"field":"matchers[1].value"`,
		`{"matchers":[{"name":"a","value":"x","is_regex":true}],` + good + `}`:                               `unknown field`,
		`{"matchers":[{"name":"a","value":"a)|(b","isRegex":true}],` + good + `}`:                            `is not a regular expression`,
		`{"matchers":[{"name":"a","value":"x"}],"created_by":"ann"}`:                                         `"field":"ends_at"`,
		`{"matchers":[{"name":"a","value":"x"}],"created_by":"ann","ends_at":"soon"}`:                        `is not a time`,
		`{"matchers":[{"name":"a","value":"x"}],"created_by":"ann","ends_at":"now-1h"}`:                      `is past`,
		`{"matchers":[{"name":"a","value":"x"}],"created_by":"ann","starts_at":"now+2h","ends_at":"now+1h"}`: `is not after starts_at`,
		`{"matchers":[{"name":"a","value":"x"}],"created_by":"ann","ends_at":"now+5000d"}`:                   `at most`,
		`{"matchers":[{"name":"a","value":"x"}],"ends_at":"now+1h"}`:                                         `"field":"created_by"`,
	} {
		code, _, got := call(t, "POST", url+"/api/silences", body)
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		require.Equal(t, 400, code, body)
		require.Contains(t, string(raw), want, body)
	}
	for _, q := range []string{"state=quiet", "cursor=x", "cursor=MTIz", "limit=-1", "since=1"} {
		code, _, _ := call(t, "GET", url+"/api/silences?"+q, "")
		require.Equal(t, 400, code, q)
	}
	_, _, rules := call(t, "GET", url+"/api/alert-rules?limit=1", "")
	code, _, _ := call(t, "GET", url+"/api/silences?cursor="+rules["next_cursor"].(string), "")
	require.Equal(t, 400, code, "the cursor of another list")
}
