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
	require.Equal(t, 8082, cfg.Port)
	require.Equal(t, 5*time.Minute, cfg.MaxLate)
	require.False(t, cfg.RawTrim)
	err := config.LoadFrom(&cfg, map[string]string{"MAX_LATE": "-1s", "PROCESSOR_PORT": "70000", "RAW_TRIMM": "1"})
	require.ErrorContains(t, err, "MAX_LATE")
	require.ErrorContains(t, err, "PROCESSOR_PORT")
	require.ErrorContains(t, err, "RAW_TRIM?")
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
