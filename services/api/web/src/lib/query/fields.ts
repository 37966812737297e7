// The fields of a query that are no attributes, as services/api/internal/query/field.go has them.

export const columns: Record<string, string> = {
  level: 'trace debug info warn error fatal; level:>=warn',
  service: 'who logged it',
  message: 'words and phrases, in any case',
  host: 'name or address; host:10.0.0.0/8',
  env: 'environment',
  team: 'who owns the service',
  trace_id: 'all lines of one request',
  span_id: 'one step of a trace',
  user_id: 'exact',
  request_method: 'GET, POST, …',
  request_path: 'request_path:/api/*',
  response_status: 'a number; response_status:[500 TO 599]',
  response_time_ms: 'a number; response_time_ms:>500',
  pattern_id: 'messages of one shape',
  timestamp: 'a range; timestamp:>now-15m',
  observed: 'when it arrived; a range',
  id: 'one line',
  ip: 'addresses anywhere; ip:10.0.0.0/8',
}

/** Fields whose lines can be counted by value. */
export const countable = Object.keys(columns).filter((f) => !['timestamp', 'observed', 'id', 'ip'].includes(f))

export const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace']

/** What senders call a column: as an attribute's name it needs attr. before it. */
const aliases =
  /^(@?timestamp|time|ts|msg|severity|lvl|status|status_code|method|path|duration|hostname|environment|user|span|trace)$/i

/** An attribute's name as a query writes it. */
export function attributeField(name: string): string {
  const taken = name.toLowerCase() in columns || aliases.test(name) || name === '_exists_' || name.startsWith('attr.')
  return taken ? `attr.${name}` : name
}

/** The one spelling of a field: columns in small letters, attr. only where it is needed. */
export function canonical(field: string): string {
  const small = field.toLowerCase()
  if (small in columns) return small
  return field.startsWith('attr.') ? attributeField(field.slice(5)) : field
}
