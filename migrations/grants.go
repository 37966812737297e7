package migrations

import (
	"fmt"
	"slices"
	"strings"
)

// Access is what the services do with a table: one of them writes it.
type Access struct {
	Table   string
	Writer  string
	Readers []string // besides the writer
	Days    bool     // partitioned by day: the writer adds and drops partitions
}

// Services are those with a user of their own in MySQL.
var Services = []string{"processor", "alert-evaluator", "api"}

// Tables is the whole schema. A system test compares it with the services' statements, and runs them under these rights.
var Tables = []Access{
	{Table: "stream", Writer: "processor", Readers: []string{"alert-evaluator", "api"}},
	{Table: "request_key", Writer: "processor"},
	{Table: "dead_letter", Writer: "processor", Readers: []string{"api"}},
	{Table: "partition_progress", Writer: "processor", Readers: []string{"alert-evaluator", "api"}},
	{Table: "block", Writer: "processor", Readers: []string{"alert-evaluator", "api"}},
	{Table: "block_filter", Writer: "processor", Readers: []string{"api"}, Days: true},
	{Table: "block_data", Writer: "processor", Readers: []string{"alert-evaluator", "api"}, Days: true},
	{Table: "window_data", Writer: "processor", Readers: []string{"api"}},
	{Table: "error_data", Writer: "processor", Readers: []string{"api"}},
	{Table: "service_hour", Writer: "processor", Readers: []string{"api"}},
	{Table: "error_hour", Writer: "processor", Readers: []string{"api"}},
	{Table: "log_window", Writer: "processor", Readers: []string{"api"}},
	{Table: "error_window", Writer: "processor", Readers: []string{"api"}},
	{Table: "window_change", Writer: "processor", Readers: []string{"api"}},
	{Table: "alert_partition", Writer: "alert-evaluator", Readers: []string{"api"}},
	{Table: "alert_global", Writer: "alert-evaluator"},
	{Table: "alert_partial", Writer: "alert-evaluator"},
	{Table: "alert_snapshot", Writer: "alert-evaluator", Readers: []string{"api"}},
	{Table: "alert_instance", Writer: "alert-evaluator", Readers: []string{"api"}},
	{Table: "alert_outbox", Writer: "alert-evaluator", Readers: []string{"api"}},
	{Table: "alert_watch", Writer: "alert-evaluator", Readers: []string{"api"}},
	{Table: "alert_problem", Writer: "alert-evaluator", Readers: []string{"api"}},
	{Table: "alert_status", Writer: "alert-evaluator", Readers: []string{"api"}},
	{Table: "rule_clock", Writer: "api", Readers: []string{"alert-evaluator"}},
	{Table: "alert_rule", Writer: "api"},
	{Table: "rule_version", Writer: "api", Readers: []string{"alert-evaluator"}},
	{Table: "alert_command", Writer: "api", Readers: []string{"alert-evaluator"}},
	{Table: "alert_silence", Writer: "api"},
	{Table: "silence_version", Writer: "api", Readers: []string{"alert-evaluator"}},
	{Table: "audit", Writer: "api"},
}

const version = "goose_db_version" // every service checks it

// Grants are the statements that give each service's user, logmill_<service>, the rights that it needs on a database and no more. The users
// must be there; host is from where they connect, such as % or 10.0.0.%.
func Grants(database, host string) []string {
	var out []string
	for _, s := range Services {
		user := fmt.Sprintf("'logmill_%s'@'%s'", strings.ReplaceAll(s, "-", "_"), host)
		grant := func(rights, table string) {
			out = append(out, fmt.Sprintf("GRANT %s ON `%s`.`%s` TO %s", rights, database, table, user))
		}
		grant("SELECT", version)
		for _, t := range Tables {
			switch {
			case t.Writer == s && t.Days:
				grant("SELECT, INSERT, UPDATE, DELETE, ALTER, CREATE, DROP", t.Table)
			case t.Writer == s:
				grant("SELECT, INSERT, UPDATE, DELETE", t.Table)
			case slices.Contains(t.Readers, s):
				grant("SELECT", t.Table)
			}
		}
	}
	return out
}
