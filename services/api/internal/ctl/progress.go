package ctl

import (
	"fmt"
	"time"
)

// progress shows on standard error that long work goes on: only to people, and only while the output goes elsewhere.
type progress struct {
	t     *tool
	what  string
	n     int
	begun time.Time
	shown bool
}

// quietFor is how long work may take without a word.
const quietFor = 2 * time.Second

// add counts what has come.
func (p *progress) add(n int) {
	now := p.t.env.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	p.n += n
	if !p.t.env.ErrTerminal || p.t.env.Terminal || now.Sub(p.begun) < quietFor {
		return
	}
	p.shown = true
	_, _ = fmt.Fprintf(p.t.env.Err, "\r\x1b[K%d %s, %s", p.n, p.what, now.Sub(p.begun).Round(time.Second)) // nobody is left to tell
}

// end takes the line away.
func (p *progress) end() {
	if p.shown {
		_, _ = fmt.Fprint(p.t.env.Err, "\r\x1b[K")
	}
}
