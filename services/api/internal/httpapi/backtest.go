package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/backtest"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

const ndjson = "application/x-ndjson"

// Backtests runs rules over what is stored.
type Backtests interface {
	Start(spec backtest.Spec) (*backtest.Job, error)
	Job(id string) (*backtest.Job, error)
	Forget(j *backtest.Job)
	Estimate(ctx context.Context, c *rule.Compiled, start, end int64) (*backtest.Result, error)
}

func (s *server) backtestBody(c echo.Context) error {
	r, err := s.body(c)
	if err != nil {
		return err
	}
	return s.backtest(c, r)
}

func (s *server) backtestRule(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	row, err := s.Rules.Rule(c.Request().Context(), id)
	if err != nil {
		return err
	}
	r, err := rule.Compile(strconv.FormatInt(row.ID, 10), row.Version, row.Rule)
	if err != nil {
		return mistakes("rule", err)
	}
	return s.backtest(c, r)
}

// backtest answers 200 with the result, or 202 with the job when it takes longer than somebody waits; whoever accepts NDJSON hears of the progress instead.
func (s *server) backtest(c echo.Context, r *rule.Compiled) error {
	p := &params{c: c, now: s.Now()}
	p.only("start", "end", "by", "wait", "step")
	spec := backtest.Spec{Rule: r, By: backtest.ByEvalTime, End: p.time("end", s.Now().UnixNano())}
	spec.Start = p.time("start", spec.End-int64(defaultTests))
	if by := p.oneOf("by", []string{backtest.ByEvalTime, backtest.ByTimestamp}); len(by) > 0 {
		spec.By = by[0]
	}
	if spec.Start >= spec.End {
		p.wrong("start", "is not before end")
	}
	if spec.Step = p.stepNS(); spec.Step > 0 && (spec.End-spec.Start)/spec.Step > backtest.MaxPoints {
		p.wrong("step", "makes more than %d points of the range", backtest.MaxPoints)
	}
	wait := p.wait()
	if err := p.err(); err != nil {
		return err
	}
	j, err := s.Backtests.Start(spec)
	if err != nil {
		return err
	}
	defer j.Release()
	if strings.Contains(c.Request().Header.Get(echo.HeaderAccept), ndjson) {
		return s.stream(c, j)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-j.Done():
		res, err := j.Result()
		s.Backtests.Forget(j)
		if errors.Is(err, context.Canceled) {
			return fault.Unavailable(err, "the api stops")
		}
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, res)
	case <-c.Request().Context().Done(): // the client went
		s.Backtests.Forget(j)
		return nil
	case <-timer.C:
	}
	v := j.View()
	c.Response().Header().Set("Location", "/api/backtests/"+v.ID)
	c.Response().Header().Set(echo.HeaderRetryAfter, "1")
	return c.JSON(http.StatusAccepted, v)
}

func (p *params) wait() time.Duration {
	text := p.c.QueryParam("wait")
	if text == "" {
		return defaultWait
	}
	d, err := query.ParseDuration(text)
	if err != nil || d > maxWait {
		p.wrong("wait", "%q is not a duration up to %s", text, maxWait)
	}
	return d
}

// stream writes how the job stands, a line of JSON at a time, the last one with the result. When the client goes, the job ends.
func (s *server) stream(c echo.Context, j *backtest.Job) error {
	defer s.Backtests.Forget(j)
	c.Response().Header().Set(echo.HeaderContentType, ndjson)
	c.Response().WriteHeader(http.StatusOK)
	enc := json.NewEncoder(c.Response())
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		if err := enc.Encode(j.View()); err != nil {
			return fmt.Errorf("writing progress: %w", err)
		}
		c.Response().Flush()
		select {
		case <-j.Done():
			return enc.Encode(j.View())
		case <-c.Request().Context().Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *server) getBacktest(c echo.Context) error {
	j, err := s.Backtests.Job(c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, j.View())
}

func (s *server) deleteBacktest(c echo.Context) error {
	j, err := s.Backtests.Job(c.Param("id"))
	if err != nil {
		return err
	}
	s.Backtests.Forget(j)
	return c.NoContent(http.StatusNoContent)
}
