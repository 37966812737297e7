package logrec

// Field is one of the record's own fields, as senders name it.
type Field uint8

// The fields. Those of a duration differ by the unit that the name says.
const (
	NoField Field = iota
	FieldTimestamp
	FieldObserved
	FieldLevel
	FieldService
	FieldMessage
	FieldTraceID
	FieldSpanID
	FieldUserID
	FieldMethod
	FieldPath // only when the value looks like one: begins with a slash
	FieldStatus
	FieldTimeMS
	FieldTimeS
	FieldTimeUS
	FieldTimeNS
	FieldDuration // only as text with a unit: a bare number could be anything
	FieldHost
	FieldEnv
	FieldTeam
)

// aliases are the names that people and programs send, folded: lower case, without . _ - @ and blanks. The one table for JSON
// bodies, JSON inside messages, logfmt, and OTLP attributes of other producers.
var aliases = map[string]Field{
	"timestamp": FieldTimestamp, "time": FieldTimestamp, "ts": FieldTimestamp, "datetime": FieldTimestamp, "date": FieldTimestamp,
	"eventtime": FieldTimestamp, "asctime": FieldTimestamp, "timegenerated": FieldTimestamp,
	"observed": FieldObserved, "observedtimestamp": FieldObserved,
	"level": FieldLevel, "lvl": FieldLevel, "severity": FieldLevel, "loglevel": FieldLevel, "severitytext": FieldLevel, "levelname": FieldLevel, "priority": FieldLevel,
	"service": FieldService, "servicename": FieldService, "svc": FieldService, "app": FieldService, "application": FieldService, "appname": FieldService,
	"message": FieldMessage, "msg": FieldMessage, "body": FieldMessage, "log": FieldMessage, "text": FieldMessage, "logmessage": FieldMessage, "shortmessage": FieldMessage,
	"traceid": FieldTraceID, "ddtraceid": FieldTraceID, "xb3traceid": FieldTraceID,
	"spanid": FieldSpanID, "ddspanid": FieldSpanID,
	"userid": FieldUserID, "uid": FieldUserID, "enduserid": FieldUserID, "usrid": FieldUserID,
	"requestmethod": FieldMethod, "method": FieldMethod, "httpmethod": FieldMethod, "httprequestmethod": FieldMethod, "verb": FieldMethod,
	"requestpath": FieldPath, "path": FieldPath, "urlpath": FieldPath, "httptarget": FieldPath, "httproute": FieldPath, "uri": FieldPath, "requesturi": FieldPath,
	"httprequestpath": FieldPath, "httpurl": FieldPath, "url": FieldPath,
	"responsestatus": FieldStatus, "status": FieldStatus, "statuscode": FieldStatus, "httpstatus": FieldStatus, "httpstatuscode": FieldStatus, "httpresponsestatuscode": FieldStatus,
	"responsetimems": FieldTimeMS, "durationms": FieldTimeMS, "latencyms": FieldTimeMS, "elapsedms": FieldTimeMS, "tookms": FieldTimeMS, "requesttimems": FieldTimeMS,
	"responsetimeseconds": FieldTimeS, "durations": FieldTimeS, "durationseconds": FieldTimeS, "latencys": FieldTimeS, "durationsec": FieldTimeS, "elapseds": FieldTimeS,
	"durationus": FieldTimeUS, "latencyus": FieldTimeUS, "elapsedus": FieldTimeUS,
	"durationns": FieldTimeNS, "latencyns": FieldTimeNS, "elapsedns": FieldTimeNS, "eventduration": FieldTimeNS,
	"duration": FieldDuration, "latency": FieldDuration, "elapsed": FieldDuration, "responsetime": FieldDuration, "took": FieldDuration,
	"host": FieldHost, "hostname": FieldHost,
	"env": FieldEnv, "environment": FieldEnv, "deploymentenvironment": FieldEnv, "deploymentenvironmentname": FieldEnv,
	"team": FieldTeam,
}

const longestAlias = 25

// FieldOf is the field that a name stands for, NoField for a free attribute. It allocates nothing.
func FieldOf(name string) Field {
	switch name { // our own names, and what most senders use
	case "timestamp", "time", "ts", "@timestamp":
		return FieldTimestamp
	case "level":
		return FieldLevel
	case "service", "service.name":
		return FieldService
	case "message", "msg":
		return FieldMessage
	case "trace_id":
		return FieldTraceID
	case "span_id":
		return FieldSpanID
	case "user_id":
		return FieldUserID
	case "request_method":
		return FieldMethod
	case "request_path":
		return FieldPath
	case "response_status":
		return FieldStatus
	case "response_time_ms":
		return FieldTimeMS
	}
	return fieldOfFolded(name)
}

func fieldOfFolded(name string) Field {
	var buf [longestAlias]byte
	n := 0
	for i := range len(name) {
		c := lower(name[i])
		if c == '.' || c == '_' || c == '-' || c == '@' || c == ' ' {
			continue
		}
		if n == len(buf) {
			return NoField
		}
		buf[n] = c
		n++
	}
	return aliases[string(buf[:n])]
}
