package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/testkit"
)

// compose loads compose files as Docker does.
func compose(t *testing.T, env []string, files ...string) (*types.Project, error) {
	t.Helper()
	dir := filepath.Join(testkit.Root(t), "compose", "docker")
	var paths []string
	for _, f := range files {
		paths = append(paths, filepath.Join(dir, f))
	}
	opts, err := cli.NewProjectOptions(paths, cli.WithEnv(env), cli.WithWorkingDirectory(dir), cli.WithResolvedPaths(true))
	require.NoError(t, err)
	return opts.LoadProject(t.Context())
}

var composeEnv = []string{"MYSQL_PASSWORD=x", "LOGMILL_TOKENS=/etc/hostname"}

const zookeeperFile, kraftFile, servicesFile = "docker-compose.yml", "docker-compose.kraft.yml", "docker-compose.services.yml"

// TestComposeFiles: both stacks load, alone and with the services over them; what they publish is on loopback, what others wait for has a
// health check, data are on volumes, and no password has a default.
func TestComposeFiles(t *testing.T) {
	t.Parallel()
	for _, files := range [][]string{{zookeeperFile}, {kraftFile}, {zookeeperFile, servicesFile}, {kraftFile, servicesFile}} {
		p, err := compose(t, composeEnv, files...)
		require.NoError(t, err, files)
		for name, s := range p.Services {
			for _, port := range s.Ports {
				require.Equal(t, "127.0.0.1", port.HostIP, "%v: %s publishes %s", files, name, port.Published)
			}
			for other, d := range s.DependsOn {
				if d.Condition == types.ServiceConditionHealthy {
					require.NotNil(t, p.Services[other].HealthCheck, "%s waits for the health of %s", name, other)
				}
			}
			require.NotContains(t, s.Image, ":latest", name)
		}
		require.Equal(t, "8081", p.Services["kafka-ui"].Ports[0].Published)
		require.Equal(t, "mysql:8.0", p.Services["mysql"].Image)
		for _, name := range []string{"kafka", "mysql"} {
			require.NotEmpty(t, p.Services[name].Volumes, name)
		}
		_, err = compose(t, nil, files...)
		require.ErrorContains(t, err, "set MYSQL_PASSWORD", "a stack that nobody gave a password does not start")
	}
	p, err := compose(t, composeEnv, zookeeperFile)
	require.NoError(t, err)
	require.Equal(t, "confluentinc/cp-kafka:7.4.0", p.Services["kafka"].Image)
	require.Equal(t, "confluentinc/cp-zookeeper:7.4.0", p.Services["zookeeper"].Image)
}

// TestServicesInContainers: each image is a stage of the Dockerfile that runs as nobody, and each setting is one that the services know.
func TestServicesInContainers(t *testing.T) {
	t.Parallel()
	p, err := compose(t, composeEnv, zookeeperFile, servicesFile)
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(testkit.Root(t), "compose", "docker", "Dockerfile"))
	require.NoError(t, err)
	stages := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^FROM (\S+) AS (\S+)`).FindAllStringSubmatch(string(raw), -1) {
		stages[m[2]] = m[1]
	}
	known := map[string]bool{}
	for _, k := range config.Known {
		known[k] = true
	}
	built := 0
	for name, s := range p.Services {
		if s.Build == nil {
			continue
		}
		built++
		require.True(t, strings.HasSuffix(stages[s.Build.Target], ":nonroot"), "%s is built from %q", name, stages[s.Build.Target])
		for variable := range s.Environment {
			require.True(t, known[variable], "%s: %s", name, variable)
		}
	}
	require.Equal(t, 5, built)
	for _, m := range regexp.MustCompile(`\./(?:services|migrations)/\S+`).FindAllString(string(raw), -1) {
		_, err := os.Stat(filepath.Join(testkit.Root(t), m))
		require.NoError(t, err, "the Dockerfile builds it")
	}
}

// TestUnitsOfSystemd: the programs and files that the units name are ours.
func TestUnitsOfSystemd(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob(filepath.Join(testkit.Root(t), "compose", "systemd", "*.service"))
	require.NoError(t, err)
	require.Len(t, units, 5)
	program := regexp.MustCompile(`/usr/local/bin/([a-z-]+)`)
	for _, u := range units {
		text, err := os.ReadFile(u)
		require.NoError(t, err)
		m := program.FindStringSubmatch(string(text))
		require.NotNil(t, m, u)
		_, err = os.Stat(filepath.Join(testkit.Root(t), ".local", "bin", m[1]))
		require.NoError(t, err, u)
		require.Contains(t, string(text), "NoNewPrivileges=yes")
	}
}

// TestZooKeeper runs the pipeline on the Kafka that Confluent 7.4.0 ships, with ZooKeeper.
func TestZooKeeper(t *testing.T) {
	s := stack.NewZooKeeper(t)
	s.Services(1, stack.Processor)
	sendLines(t, s, "old-kafka", []string{"one", "two", "three"})
	stored(t, s)
	require.Len(t, find(t, s, map[string][]string{"service": {"old-kafka"}}).Logs, 3)
}
