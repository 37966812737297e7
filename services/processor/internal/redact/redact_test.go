package redact

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/logrec"
)

func TestBuiltins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, in, want string }{
		{"card", "paid with 4111 1111 1111 1111 today", "paid with [card] today"},
		{"card", "pan=4111111111111111,exp=1", "pan=[card],exp=1"},
		{"card", "5500-0000-0000-0004 and 378282246310005", "[card] and [card]"},
		{"card", "3782 822463 10005", "[card]"},
		{"card", "4111111111111112 fails Luhn", "4111111111111112 fails Luhn"},
		{"card", "at 1795509353758017693 ns, order 20261124, 10.20.30.40", "at 1795509353758017693 ns, order 20261124, 10.20.30.40"},
		{"card", "id x4111111111111111 and 4111111111111111a", "id x4111111111111111 and 4111111111111111a"},
		{"card", "41 11 11 11 11 11 11 11", "41 11 11 11 11 11 11 11"},
		{"card", "4111 1111 1111 1111 12 ms", "4111 1111 1111 1111 12 ms"},
		{"email", "from ann.o'hara+x@mail.example.co.uk, ok", "from ann.o'[email], ok"},
		{"email", "<bob@example.org>: @here user@host a@b.c @ x@y.12", "<[email]>: @here user@host a@b.c @ x@y.12"},
		{"email", "git@github.com:logmill and me@x.io.", "[email]:logmill and [email]."},
		{"token", "Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer [token]"},
		{"token", "GET /x?token=abcdefgh12&y=2 password=hunter2 user", "GET /x?token=[token]&y=2 password=[token] user"},
		{"token", "key AKIAIOSFODNN7EXAMPLE jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "key [token] jwt [token]"},
		{"token", "my_password=x is no mark of its own, tokens=5, Bearer of news", "my_password=x is no mark of its own, tokens=5, Bearer of news"},
	} {
		got, n := builtins[c.kind](c.in)
		require.Equal(t, c.want, got, c.kind)
		require.Equal(t, strings.Count(c.want, "["+c.kind+"]"), n, c.in)
	}
}

// FuzzBuiltins: no text whatever stops them, what they make they find nothing in, and a text without finds stays itself.
func FuzzBuiltins(f *testing.F) {
	f.Add("4111 1111 1111 1111 a@b.cd Bearer abcdefghijklmnopqrst")
	f.Fuzz(func(t *testing.T, s string) {
		for name, b := range builtins {
			out, n := b(s)
			require.Equal(t, n == 0, out == s, name)
		}
	})
}

// TestEmailsAgainstARegularExpression: what a plain expression finds in texts of addresses, the scanner finds.
func TestEmailsAgainstARegularExpression(t *testing.T) {
	t.Parallel()
	re := regexp.MustCompile(`[\w.+%-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z0-9-]*[A-Za-z]\b`)
	for i := range 500 {
		s := fmt.Sprintf("user%d <a%d.b@mail%d.example.com>, x@y; n%d@host-%d.io!", i, i, i, i, i)
		got, _ := emails(s)
		require.Equal(t, re.ReplaceAllString(s, "[email]"), got)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	c, err := catalogue.Parse([]byte(`
redaction:
  builtin: [email]
  rules:
    - {name: ssn, regex: '\b\d{3}-\d{2}-\d{4}\b', services: ["hr-*"]}
    - {name: password, field: attributes.password}
    - {name: pin, field: attributes.note, regex: '(pin )\d+', replace: '${1}#'}
    - {name: user, field: user_id, services: [clinic]}
`))
	require.NoError(t, err)
	r := New(c.Redaction)
	rec := logrec.Record{Service: "hr-web", Message: "ssn 123-45-6789 of ann@example.org", UserID: "u1", RequestPath: "/people/ann@example.org",
		Attributes: []logrec.Attr{{Key: "password", Value: "x"}, {Key: "note", Value: "pin 1234"}, {Key: "pin", Value: "pin 1234"}}}
	r.Record(&rec)
	require.Equal(t, "ssn [ssn] of [email]", rec.Message)
	require.Equal(t, "/people/[email]", rec.RequestPath)
	require.Equal(t, "u1", rec.UserID)
	require.Equal(t, []logrec.Attr{{Key: "password", Value: "[password]"}, {Key: "note", Value: "pin #"}, {Key: "pin", Value: "pin 1234"}}, rec.Attributes)
	other := logrec.Record{Service: "clinic", Message: "ssn 123-45-6789", UserID: "patient-7", Attributes: []logrec.Attr{{Key: "password", Value: "12", Kind: logrec.JSON}}}
	r.Record(&other)
	require.Equal(t, "ssn 123-45-6789", other.Message)
	require.Equal(t, "[user]", other.UserID)
	require.Equal(t, logrec.Attr{Key: "password", Value: "[password]"}, other.Attributes[0], "a number too")
	require.Equal(t, map[string]int{"email": 2, "ssn": 1, "password": 2, "pin": 1, "user": 1}, r.Take())
	require.Nil(t, r.Take())
}

// BenchmarkRecord is the built-ins over ordinary lines, which hold nothing to redact.
func BenchmarkRecord(b *testing.B) {
	r := New(catalogue.Redaction{Builtin: catalogue.Builtins})
	recs := make([]logrec.Record, 1000)
	for i := range recs {
		recs[i] = logrec.Record{Service: "shop", Message: fmt.Sprintf("request %d for customer %d done in %d steps, cache hit, upstream 10.0.3.%d:8080 answered", i*7919, i, i%40, i%255), UserID: "user-17", RequestPath: "/api/v1/items/17"}
	}
	b.SetBytes(int64(len(recs[500].Message)) * 1000)
	for b.Loop() {
		for i := range recs {
			r.Record(&recs[i])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(recs)), "ns/line")
}
