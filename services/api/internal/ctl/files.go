package ctl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
)

// path is where a named file is.
func (t *tool) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(t.env.Dir, name)
}

// read reads a file of at most a number of bytes, one more when it is longer. "-" is standard input.
func (t *tool) read(name string, most int64) ([]byte, error) {
	in := t.env.In
	if name != "-" {
		f, err := os.Open(t.path(name))
		if err != nil {
			return nil, named(name, err)
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, named(name, err)
	}
	return data, nil
}

// named is a file's error under the name that the user gave it.
func named(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// readRules reads rule files and what is wrong with them and between them.
func (t *tool) readRules(names []string) (files []*rulefile.File, problems []yamldoc.Problem, err error) {
	for _, name := range names {
		src, err := t.read(name, yamldoc.MaxBytes)
		if err != nil {
			return nil, nil, err
		}
		f, wrong := rulefile.Parse(name, src)
		files, problems = append(files, f), append(problems, wrong...)
	}
	return files, append(problems, rulefile.Clashes(files)...), nil
}

// goodRules reads rule files that must have no mistakes; those that they have are told.
func (t *tool) goodRules(names []string) ([]*rulefile.File, error) {
	files, problems, err := t.readRules(names)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, t.tell(problems)
	}
	return files, nil
}

// tell shows mistakes and returns errNo: on standard error for people, else as the output.
func (t *tool) tell(problems []yamldoc.Problem) error {
	for _, p := range problems {
		if t.output == asJSON {
			if err := t.json(p); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintln(t.env.Err, p.Error()); err != nil {
			return err
		}
	}
	return errNo
}
