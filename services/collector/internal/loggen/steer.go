package loggen

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// steerEvery is how soon a generator obeys.
const steerEvery = 250 * time.Millisecond

// Director is a profile with incidents.
type Director interface {
	Play(name string) error
	Cue(name string) error
}

// Obey begins the incidents whose names are written into a file (Steer) until ctx ends. What is in it at the start is old.
func Obey(ctx context.Context, path string, d Director, complaints io.Writer) {
	last := stamp(path)
	for ctx.Err() == nil {
		wait(ctx, steerEvery)
		now := stamp(path)
		if now.Equal(last) {
			continue
		}
		last = now
		name, err := os.ReadFile(path)
		if err == nil {
			err = d.Cue(strings.TrimSpace(string(name)))
		}
		if err != nil {
			_, _ = fmt.Fprintf(complaints, "steered by %s: %v\n", path, err) // nobody to tell that it could not be told
		}
	}
}

// Steer makes the generator that obeys a file begin an incident.
func Steer(path, name string) error {
	if _, err := find(name); err != nil {
		return err
	}
	next := path + ".new" // never half a name
	if err := os.WriteFile(next, []byte(name+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// stamp is when a file was written, zero when it is not there.
func stamp(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
