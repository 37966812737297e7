package app

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/logmill/logmill/shared/rule/engine"
)

const (
	standEvery = 2 * time.Second        // people look at it
	standPiece = 20_000                 // alerts looked at without a break: some 6 ms in which the partition waits
	standTurn  = 250 * time.Millisecond // a piece a turn: 2 % of a core, however many alerts there are
)

// standing is how far a look at the rules of an engine is, and what was last written.
type standing struct {
	survey  *engine.Survey // nil: none is under way
	begun   time.Time
	written []byte
}

// look looks at a piece. It returns how the rules stand, when that is known and not written already.
func (s *standing) look(eng *engine.Engine, now time.Time) ([]byte, error) {
	if s.survey == nil {
		if now.Sub(s.begun) < standEvery {
			return nil, nil
		}
		s.survey, s.begun = &engine.Survey{}, now
	}
	if !eng.Survey(s.survey, standPiece) {
		return nil, nil
	}
	raw, err := json.Marshal(s.survey.Status)
	s.survey = nil
	if err != nil || bytes.Equal(raw, s.written) {
		return nil, err
	}
	return raw, nil
}

// standAll writes how the rules of our partitions stand. It is for people only: what fails is tried again at the next turn.
func (ps *partitions) standAll(ctx context.Context) {
	ps.mu.Lock()
	all := maps.Clone(ps.all)
	ps.mu.Unlock()
	for n, p := range all {
		if err := ps.stand(ctx, p); err != nil && ctx.Err() == nil {
			ps.log.Debug().Err(err).Int32("partition", n).Msg("writing how rules stand")
		}
	}
}

func (ps *partitions) stand(ctx context.Context, p *partition) error {
	p.mu.Lock()
	e, stored := p.eval, p.stored
	if p.claim == nil || e.eng == nil || p.at.NextOffset < stored.Position.NextOffset {
		p.mu.Unlock()
		return nil // going through what is committed: the state is of the past
	}
	raw, err := e.stands.look(e.eng, time.Now())
	p.mu.Unlock()
	if err != nil || raw == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	if err := ps.store.Report(ctx, stored, raw); err != nil {
		return err
	}
	p.mu.Lock()
	e.stands.written = raw
	p.mu.Unlock()
	return nil
}

// stand writes how the rules over all partitions stand.
func (g *global) stand(ctx context.Context) error {
	e := g.eval
	if e.eng == nil {
		return nil
	}
	raw, err := e.stands.look(e.eng, time.Now())
	if err != nil || raw == nil {
		return err
	}
	if err := g.ps.store.ReportGlobal(ctx, g.state, raw); err != nil {
		return err
	}
	e.stands.written = raw
	return nil
}
