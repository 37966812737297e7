package httpapi

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/store"
)

// tagged answers a thing that has versions. Its ETag is the version, and a sum of what changes without one (a rule's state): so that If-None-Match
// sees both, and If-Match, which protects what people wrote, looks at the version alone.
func tagged(c echo.Context, code, version int, volatile, answer any) error {
	raw, err := json.Marshal(volatile)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	tag := fmt.Sprintf(`"%d-%s"`, version, strconv.FormatUint(uint64(crc32.ChecksumIEEE(raw)), 36))
	c.Response().Header().Set("ETag", tag)
	if c.Request().Method == http.MethodGet {
		for _, t := range tags(c, "If-None-Match") {
			if t == "*" || strings.TrimPrefix(t, "W/") == tag {
				return c.NoContent(http.StatusNotModified)
			}
		}
	}
	return c.JSON(code, answer)
}

func tags(c echo.Context, header string) (out []string) {
	for _, line := range c.Request().Header.Values(header) {
		for t := range strings.SplitSeq(line, ",") {
			if t = strings.TrimSpace(t); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// ifMatch are the versions that the caller has seen, nil when it does not care (RFC 9110 13.1.1). A tag of somebody else's matches nothing.
func ifMatch(c echo.Context) store.Seen {
	given := tags(c, "If-Match")
	if given == nil {
		return nil
	}
	seen := store.Seen{}
	for _, t := range given {
		if t == "*" {
			return nil
		}
		number, _, _ := strings.Cut(strings.Trim(strings.TrimPrefix(t, "W/"), `"`), "-") // W/: proxies that compress weaken tags
		if n, err := strconv.Atoi(number); err == nil {
			seen = append(seen, n)
		}
	}
	return seen
}
