// Package client speaks to the api: JSON over HTTP, errors as problem+json, pages by cursor.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config is where the api is and who asks.
type Config struct {
	URL     string // http://host:port, with a path where a proxy adds one
	Token   string // sent as Bearer, "" for none
	User    string // told to the api as who does it
	Agent   string
	Timeout time.Duration // of one request, the answer's body included; 0 = none
}

// Client is safe for concurrent use.
type Client struct {
	cfg  Config
	base *url.URL
	http *http.Client
}

// New checks the address.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of an api, such as http://127.0.0.1:8080", cfg.URL)
	}
	return &Client{cfg: cfg, base: u, http: &http.Client{}}, nil
}

// Request is one call. Body is sent as JSON.
type Request struct {
	Method string // "" = GET
	Path   []string
	Query  url.Values
	Body   any
	Match  string // If-Match
}

// Problem is an answer that is an error (RFC 9457).
type Problem struct {
	Status int
	Title  string
	Detail string
	Errors []Field
}

// Field is one thing that is wrong with a request.
type Field struct {
	Name   string `json:"field"`
	Reason string `json:"reason"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the api answered %d %s", p.Status, p.Title)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, f := range p.Errors {
		fmt.Fprintf(&b, "\n  %s: %s", f.Name, f.Reason)
	}
	return b.String()
}

// Unreachable is an api that gave no answer, or not the whole of one.
type Unreachable struct {
	URL   string
	Cause error
}

func (u *Unreachable) Error() string {
	return fmt.Sprintf("%s does not answer: %v", u.URL, reason(u.Cause))
}

func (u *Unreachable) Unwrap() error { return u.Cause }

// reason leaves the method and the address out of an HTTP client's error.
func reason(err error) error {
	var ue *url.Error
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &op):
		return op
	case errors.As(err, &ue):
		return ue.Err
	}
	return err
}

// Send makes a request and returns its answer, whose body the caller closes. Its only time-out is the context's. Errors: *Problem,
// *Unreachable, the context's.
func (c *Client) Send(ctx context.Context, r Request) (*http.Response, error) {
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.Lost(ctx, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer func() { _ = resp.Body.Close() }()
		return nil, problemOf(resp)
	}
	return resp, nil
}

func (c *Client) build(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	escaped := make([]string, len(r.Path))
	for i, p := range r.Path {
		escaped[i] = url.PathEscape(p)
	}
	u := c.base.JoinPath(escaped...)
	u.RawQuery = r.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	for name, value := range map[string]string{"User-Agent": c.cfg.Agent, "X-Logmill-User": c.cfg.User, "If-Match": r.Match} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// Lost is the error of an answer that broke off: the caller's own end, or an *Unreachable.
func (c *Client) Lost(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return &Unreachable{URL: c.base.Scheme + "://" + c.base.Host, Cause: err}
}

// Do makes a request within the time-out and returns the whole body of its answer.
func (c *Client) Do(ctx context.Context, r Request) (json.RawMessage, error) {
	if c.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
	}
	resp, err := c.Send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.Lost(ctx, err)
	case len(raw) > maxAnswer:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return raw, nil
}

// Get makes a request and decodes its answer.
func (c *Client) Get(ctx context.Context, r Request, into any) error {
	raw, err := c.Do(ctx, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("reading the answer of %s (is it an api of Logmill?): %w", c.base.Host, err)
	}
	return nil
}

// problemOf reads an error answer; one that is no problem+json is shown as it is, shortened.
func problemOf(resp *http.Response) *Problem {
	p := &Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return p
	}
	var got struct {
		Detail string  `json:"detail"`
		Errors []Field `json:"errors"`
	}
	if json.Unmarshal(raw, &got) == nil {
		p.Detail, p.Errors = got.Detail, got.Errors
		return p
	}
	text := []rune(strings.ToValidUTF8(strings.TrimSpace(string(raw)), "?"))
	if len(text) > maxShown {
		text = append(text[:maxShown], '…')
	}
	p.Detail = string(text)
	return p
}
