// Package config reads a program's settings from the environment: once, at the start, with all problems listed together.
//
// A program declares a struct with tags env, envDefault and help (github.com/caarlos0/env), embeds the parts below, and calls Load.
package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/caarlos0/env/v11"
)

// Secret is a setting that never shows itself in logs, errors or dumps.
type Secret string

func (Secret) String() string               { return "***" }
func (Secret) GoString() string             { return "***" }
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Validator is a struct of settings that can say what is wrong with it, all problems joined.
type Validator interface{ Validate() error }

// Load fills cfg, a pointer to a struct, from the environment. The error joins every bad value, every problem that a
// Validate method of cfg or of one of its fields reports, and every variable that looks like ours and is not.
func Load(cfg any) error { return LoadFrom(cfg, env.ToMap(os.Environ())) }

// LoadFrom is Load with an environment of its own.
func LoadFrom(cfg any, environment map[string]string) error {
	problems := unknown(environment)
	if err := env.ParseWithOptions(cfg, env.Options{Environment: environment}); err != nil {
		problems = append(problems, parseProblems(err)...)
	}
	problems = append(problems, validate(reflect.ValueOf(cfg))...)
	return errors.Join(distinct(problems)...)
}

func parseProblems(err error) []error {
	var agg env.AggregateError
	if !errors.As(err, &agg) {
		return []error{err}
	}
	return agg.Errors
}

// validate asks the fields of v first, then v itself.
func validate(v reflect.Value) []error {
	var out []error
	if s := reflect.Indirect(v); s.Kind() == reflect.Struct {
		for i := range s.NumField() {
			if f := s.Field(i); f.CanAddr() && s.Type().Field(i).IsExported() && f.Kind() == reflect.Struct {
				out = append(out, validate(f.Addr())...)
			}
		}
	}
	if val, ok := v.Interface().(Validator); ok {
		if err := val.Validate(); err != nil {
			out = append(out, err)
		}
	}
	return out
}

// distinct drops repetitions: a struct reports its embedded part's problems again when it has no Validate of its own.
func distinct(problems []error) []error {
	seen := map[string]bool{}
	return slices.DeleteFunc(problems, func(err error) bool {
		text := err.Error()
		again := seen[text]
		seen[text] = true
		return again
	})
}

// port checks a TCP port; 0 lets the system choose.
func port(name string, p int) error {
	if p < 0 || p > 65535 {
		return fmt.Errorf("%s=%d is not a port (0–65535)", name, p)
	}
	return nil
}
