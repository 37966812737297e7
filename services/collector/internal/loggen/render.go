package loggen

import (
	"strconv"
	"time"
	"unicode/utf8"
)

func (l *line) append(dst []byte, t time.Time) []byte {
	dst = append(dst, `{"timestamp":"`...)
	dst = t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	dst = appendText(append(dst, '"'), "level", l.level)
	dst = appendText(dst, "service", l.service)
	dst = appendText(dst, "message", l.message)
	dst = appendText(dst, "trace_id", l.trace)
	dst = appendText(dst, "user_id", l.user)
	dst = appendText(dst, "request_method", l.method)
	dst = appendText(dst, "request_path", l.path)
	if l.status != 0 {
		dst = strconv.AppendInt(append(dst, `,"response_status":`...), int64(l.status), 10)
		dst = strconv.AppendFloat(append(dst, `,"response_time_ms":`...), l.millis, 'f', 2, 64)
	}
	dst = append(dst, l.attributes...)
	return append(dst, '}', '\n')
}

func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, ',', '"'), name...), '"', ':', '"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c >= utf8.RuneSelf: // our own texts have none
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
