package bridge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/testkit"
)

// page is the blocks of a language in docs/bridges.md, in order.
func page(t *testing.T, language string) (blocks []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "bridges.md"))
	require.NoError(t, err)
	for part := range strings.SplitSeq(string(raw), "\n```"+language+"\n") {
		block, _, _ := strings.Cut(part, "\n```\n")
		blocks = append(blocks, block+"\n")
	}
	return blocks[1:]
}

func TestThePagesFileIsGood(t *testing.T) {
	t.Parallel()
	f, err := Parse([]byte(page(t, "yaml")[0]), env(map[string]string{"CHAT_HOOK_SECRET": "s3cret"}))
	require.NoError(t, err)
	require.Len(t, f.Receivers, 2)
	require.Equal(t, f.Receivers[0].Alertmanager.Delivery, f.Receivers[1].Webhook.Delivery, "the page says that it shows the defaults")
	d := event("f", 1, "firing").Data
	require.Equal(t, []string{outcomeSent, outcomeSent}, []string{f.verdict("pager", &d), f.verdict("chat", &d)})
}

// genuine is how a receiver checks a signature; the page has it.
func genuine(secret, body []byte, header string, now time.Time) bool {
	moment, signature, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	unix, err := strconv.ParseInt(moment, 10, 64)
	if err != nil || now.Sub(time.Unix(unix, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(moment + "."))
	mac.Write(body)
	got, err := hex.DecodeString(signature)
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}

// TestSignaturesAreCheckedAsThePageSays with the page's Go and with its Python.
func TestSignaturesAreCheckedAsThePageSays(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("docs_test.go")
	require.NoError(t, err)
	require.Contains(t, string(source), "\n"+page(t, "go")[0], "the page's Go is this file's")
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("DID NOT RUN: the page's Python: there is no python3")
	}
	body, signed := []byte(`{"specversion":"1.0","größe":1}`), time.Unix(1790000000, 0)
	header := Sign("s3cret", body, signed)
	require.Equal(t, "t=1790000000,v1=", header[:16])
	for name, c := range map[string]struct {
		secret, header, body string
		now                  time.Time
		want                 bool
	}{
		"good":           {"s3cret", header, string(body), signed.Add(10 * time.Second), true},
		"another body":   {"s3cret", header, `{"specversion":"1.1"}`, signed, false},
		"another moment": {"s3cret", strings.Replace(header, "t=1790000000", "t=1790000009", 1), string(body), signed, false},
		"another secret": {"secret", header, string(body), signed, false},
		"too old":        {"s3cret", header, string(body), signed.Add(time.Hour), false},
		"no header":      {"s3cret", "", string(body), signed, false},
		"half a header":  {"s3cret", "t=1790000000", string(body), signed, false},
	} {
		require.Equal(t, c.want, genuine([]byte(c.secret), []byte(c.body), c.header, c.now), "%s, in Go", name)
		if python == "" {
			continue
		}
		out, err := exec.Command(python, "-c", page(t, "python")[0]+"\nimport sys\nprint(genuine(sys.argv[1].encode(), sys.argv[2], sys.argv[3].encode(), float(sys.argv[4])))",
			c.secret, c.header, c.body, strconv.FormatInt(c.now.Unix(), 10)).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, c.want, strings.TrimSpace(string(out)) == "True", "%s, in Python: %s", name, out)
	}
}
