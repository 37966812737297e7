package app

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/logmill/logmill/shared/rule/engine"
)

const standEvery = 2 * time.Second // people look at it; every alert is looked at for it

// standing remembers what was last written of how the rules of an engine stand.
type standing struct {
	written []byte
	at      time.Time // of the global shard's last look
}

// news is how the rules stand, nil when that is written already.
func (s *standing) news(eng *engine.Engine) ([]byte, error) {
	raw, err := json.Marshal(eng.Status())
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
	raw, err := e.stands.news(e.eng)
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
	if e.eng == nil || time.Since(e.stands.at) < standEvery {
		return nil
	}
	e.stands.at = time.Now()
	raw, err := e.stands.news(e.eng)
	if err != nil || raw == nil {
		return err
	}
	if err := g.ps.store.ReportGlobal(ctx, g.state, raw); err != nil {
		return err
	}
	e.stands.written = raw
	return nil
}
