package enrich

import (
	"strconv"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// access is a line of the common or combined log format:
//
//	client ident user [10/Oct/2000:13:55:36 -0700] "GET /path HTTP/1.0" 200 2326 "referer" "agent"
type access struct {
	time           int64 // ns
	client, user   string
	method, path   string
	status         int32
	bytes          string
	referer, agent string
}

// parseAccess reads one; ok is false for anything else.
func parseAccess(s string) (a access, ok bool) {
	var rest string
	a.client, rest = word(s)
	_, rest = word(rest)
	a.user, rest = word(rest)
	if !strings.HasPrefix(rest, " [") {
		return access{}, false
	}
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return access{}, false
	}
	if a.time, ok = accessStamp(rest[2:end]); !ok {
		return access{}, false
	}
	request, rest, ok := quoted(rest[end+1:])
	if !ok {
		return access{}, false
	}
	a.method, a.path = splitRequest(request)
	return a.tail(rest)
}

// tail reads status, size and, in the combined format, referer and agent.
func (a access) tail(rest string) (access, bool) {
	text, rest := word(rest)
	status, err := strconv.Atoi(text)
	if err != nil || status < 100 || status > 999 {
		return access{}, false
	}
	a.status = int32(status)
	a.bytes, rest = word(rest)
	a.referer, rest, _ = quoted(rest)
	a.agent, _, _ = quoted(rest)
	return a, true
}

// quoted reads a text in double quotes; a backslash guards the byte after it.
func quoted(s string) (text, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// splitRequest takes method and path out of "GET /path HTTP/1.1"; garbage that a scanner sent stays unsaid.
func splitRequest(r string) (method, path string) {
	method, rest, ok := strings.Cut(r, " ")
	if !ok || !capitals(method) {
		return "", ""
	}
	path, _, _ = strings.Cut(rest, " ")
	return method, path
}

// level of a request: the server's fault is an error, the client's a warning.
func (a access) level() logrec.Level {
	switch {
	case a.status >= 500:
		return logrec.LevelError
	case a.status >= 400:
		return logrec.LevelWarn
	}
	return logrec.LevelInfo
}

// looksLikeAccess is the cheap question: a bracketed time and a quote soon after the start.
func looksLikeAccess(s string) bool {
	head := s[:min(len(s), levelSearchBytes)]
	i := strings.IndexByte(head, '[')
	return i > 5 && len(s) > i+22 && s[i+3] == '/' && s[i+7] == '/'
}
