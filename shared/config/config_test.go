package config

import (
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type sample struct {
	MySQL MySQL
	Kafka Kafka
	Log   Log
	HTTP  HTTP
	Port  int `env:"API_PORT" envDefault:"8080"`
}

func (s sample) Validate() error { return Port("API_PORT", s.Port) }

func TestDefaultsAreGood(t *testing.T) {
	t.Parallel()
	var s sample
	require.NoError(t, LoadFrom(&s, map[string]string{"PATH": "/bin", "KAFKA_HEAP_OPTS": "-Xmx1g", "API_PORT_8080_TCP": "tcp://x", "MYSQL_ROOT_PASSWORD": "x"}))
	require.Equal(t, "127.0.0.1:13306", s.MySQL.Addr())
	require.Equal(t, []string{"127.0.0.1:9092"}, s.Kafka.Brokers)
}

func TestAllProblemsAreListedAtOnce(t *testing.T) {
	t.Parallel()
	var s sample
	err := LoadFrom(&s, map[string]string{"MYSQL_PORT": "99999", "KAFKA_BROKERS": "nohost", "LOG_LEVEL": "loud", "API_PORT": "-1", "KAFKA_PARTITIONS": "many", "MYSQL_HOTS": "x",
		"COLLECTOR_PROT": "1", "LOGMILL_COLOUR": "red"})
	for _, want := range []string{"MYSQL_PORT=99999", `"nohost" is not host:port`, `LOG_LEVEL="loud"`, "API_PORT=-1", "KAFKA_PARTITIONS", "MYSQL_HOTS is not a setting of Logmill: did you mean MYSQL_HOST?",
		"did you mean COLLECTOR_PORT?", "LOGMILL_COLOUR is not a setting"} {
		if want == "KAFKA_PARTITIONS" {
			require.ErrorContains(t, err, "Partitions")
			continue
		}
		require.ErrorContains(t, err, want)
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	s := sample{MySQL: MySQL{Password: "hunter2"}}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", s, s, s, s.MySQL.Password), "hunter2")
	require.Equal(t, "hunter2", s.MySQL.Password.Reveal())
}

// TestEveryVariableIsDocumented keeps Known, .env.example and README's table equal.
func TestEveryVariableIsDocumented(t *testing.T) {
	t.Parallel()
	known := append([]string(nil), Known...)
	sort.Strings(known)
	example, err := os.ReadFile("../../.env.example")
	require.NoError(t, err)
	require.Equal(t, known, names(regexp.MustCompile(`(?m)^(?:# )?([A-Z][A-Z_]+)=`), string(example)), ".env.example")
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(readme), "## Configuration")
	require.Equal(t, known, names(regexp.MustCompile("(?m)^\\| `([A-Z_]+)`"), table), "README.md")
}

func names(re *regexp.Regexp, text string) []string {
	var out []string
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	sort.Strings(out)
	return out
}

func TestAListenerThatOthersReachNeedsTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		http    HTTP
		problem string
	}{
		{HTTP{Bind: "127.0.0.1"}, ""}, {HTTP{Bind: "::1"}, ""}, {HTTP{Bind: "localhost"}, ""},
		{HTTP{Bind: "0.0.0.0"}, "LOGMILL_TOKENS_FILE"}, {HTTP{Bind: ""}, "LOGMILL_TOKENS_FILE"}, {HTTP{Bind: "10.0.0.7"}, "LOGMILL_TOKENS_FILE"}, {HTTP{Bind: "example.org"}, "LOGMILL_TOKENS_FILE"},
		{HTTP{Bind: "0.0.0.0", TokensFile: "t"}, ""},
		{HTTP{Bind: "::1", CertFile: "c"}, "go together"},
		{HTTP{Bind: "::1", TrustedUserHeader: "X"}, "go together"},
		{HTTP{Bind: "::1", TrustedUserHeader: "X", TrustedProxies: []string{"10.1"}}, "not a network"},
	} {
		if err := c.http.Validate(); c.problem == "" {
			require.NoError(t, err, c.http)
		} else {
			require.ErrorContains(t, err, c.problem, c.http)
		}
	}
}
