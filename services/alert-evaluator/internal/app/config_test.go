package app

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
)

func TestDefaultsAndProblems(t *testing.T) {
	t.Parallel()
	var cfg Config
	require.NoError(t, config.LoadFrom(&cfg, map[string]string{}))
	require.Equal(t, 8083, cfg.Port)
	require.Equal(t, 30*time.Second, cfg.BlindAfter)
	err := config.LoadFrom(&cfg, map[string]string{"ALERT_BLIND_AFTER": "2s", "ALERT_EVALUATOR_PORT": "70000"})
	require.ErrorContains(t, err, "ALERT_BLIND_AFTER=2s")
	require.ErrorContains(t, err, "ALERT_EVALUATOR_PORT")
	require.NoError(t, config.LoadFrom(&cfg, map[string]string{"ALERT_BLIND_AFTER": "0"}))
}

func TestAllVariablesAreKnown(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		if name := fields.Field(i).Tag.Get("env"); name != "" {
			require.Contains(t, config.Known, name)
		}
	}
}
