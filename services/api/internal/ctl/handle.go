package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

// compact is JSON on one line.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw // not JSON: shown as it is
	}
	return b.Bytes()
}

// handling is the body of what people do to an alert.
type handling struct {
	Note string `json:"note,omitempty"`
}

// alertsHandle is ack or resolve.
func (t *tool) alertsHandle(name, route, short string) *cobra.Command {
	note := ""
	c := &cobra.Command{Use: name + " ID…", Short: short, Args: cobra.MinimumNArgs(1), ValidArgsFunction: t.alertIDs,
		Long: short + ".\n\nAn ID is an alert's id, or the beginning of one that is not ambiguous. It is in force on the stream about two seconds later.",
		RunE: func(c *cobra.Command, ids []string) error {
			return t.forEach(ids, func(id string) error { return t.handle(c.Context(), id, route, note) })
		}}
	c.Flags().StringVarP(&note, "note", "m", "", "why, for the others")
	return c
}

func (t *tool) alertsNote() *cobra.Command {
	return &cobra.Command{Use: "note ID TEXT", Short: "Write a note on an alert", Args: cobra.ExactArgs(2), ValidArgsFunction: t.alertIDs,
		RunE: func(c *cobra.Command, args []string) error {
			return t.handle(c.Context(), args[0], "note", args[1])
		}}
}

func (t *tool) handle(ctx context.Context, given, route, note string) error {
	id, err := t.alertID(ctx, given)
	if err != nil {
		return err
	}
	raw, err := t.api.Do(ctx, client.Request{Method: http.MethodPut, Path: append(slices.Clone(alertsPath), id, route), Body: handling{note}})
	if err != nil {
		return err
	}
	if t.output != asTable {
		return t.line(compact(raw))
	}
	var r alertRow
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading the alert: %w", err)
	}
	done := map[string]string{"acknowledge": "acknowledged", "resolve": "resolved", "note": "noted"}[route]
	return t.screen.Print("%s %s: %s %s", done, r.ID, r.RuleName, labelText(r.Labels))
}

// forEach goes on with the others when the api refuses one.
func (t *tool) forEach(ids []string, f func(id string) error) error {
	var refused error
	for _, id := range ids {
		err := f(id)
		var problem *client.Problem
		switch {
		case err == nil:
		case len(ids) > 1 && errors.As(err, &problem) && problem.Status < http.StatusInternalServerError:
			t.screen.Note("%s: %v", id, err)
			refused = errors.Join(errSaid, err)
		default:
			return err
		}
	}
	return refused
}

// wholeID is how long an alert's id is at least: a fingerprint, a dash, and a time.
const wholeID = 34

// alertID completes the beginning of an alert's id: of the alerts that fire, else of those of the last week. Of several episodes of one
// alert the newest is meant.
func (t *tool) alertID(ctx context.Context, given string) (string, error) {
	if len(given) >= wholeID || given == "" {
		return given, nil
	}
	for _, q := range []url.Values{{"state": {strings.Join(openStates, ",")}}, {}} {
		found, err := t.alertsLike(ctx, given, q)
		switch {
		case err != nil:
			return "", err
		case len(found) > 1:
			return "", fmt.Errorf("%q is the beginning of several alerts: %s", given, strings.Join(found, ", "))
		case len(found) == 1:
			return found[0], nil
		}
	}
	return "", &client.Problem{Status: http.StatusNotFound, Title: http.StatusText(http.StatusNotFound), Detail: fmt.Sprintf("there is no alert %q that fires or has fired in the last week", given)}
}

// alertsLike are the newest episodes of the alerts whose fingerprint begins so.
func (t *tool) alertsLike(ctx context.Context, given string, q url.Values) (ids []string, err error) {
	seen := map[string]bool{}
	form := t.output
	t.output = asJSON // the list is for us, not for the user
	defer func() { t.output = form }()
	err = t.list(ctx, listing{alertsPath, "alerts", q, extent{all: true}}, func(raw json.RawMessage) error {
		var r struct {
			ID          string `json:"id"`
			Fingerprint string `json:"fingerprint"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		if strings.HasPrefix(r.ID, given) && !seen[r.Fingerprint] {
			seen[r.Fingerprint] = true
			ids = append(ids, r.ID)
		}
		return nil
	})
	return ids, err
}
