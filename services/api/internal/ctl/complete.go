package ctl

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

// completionTimeout is how long a shell waits for us.
const completionTimeout = 2 * time.Second

const nothingElse = cobra.ShellCompDirectiveNoFileComp

// complete gives the shell a flag's possible values.
func complete(c *cobra.Command, flag string, values []string) {
	completeBy(c, flag, cobra.FixedCompletions(values, nothingElse))
}

func completeBy(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag is not there: a mistake in this package that every test shows
	}
}

// quick prepares a question that is asked while somebody types. Without an api there is nothing to complete.
func (t *tool) quick(c *cobra.Command) error {
	t.timeout, t.output = completionTimeout, asJSON
	return t.prepare(c)
}

// serviceNames are the services that sent lines in the last hour.
func (t *tool) serviceNames(c *cobra.Command, _ []string, begun string) (out []string, _ cobra.ShellCompDirective) {
	var got struct {
		Services []struct {
			Name string `json:"name"`
		} `json:"services"`
	}
	if t.quick(c) != nil || t.api.Get(c.Context(), client.Request{Path: []string{"api", "services"}, Query: url.Values{"limit": {strconv.Itoa(pageSize)}}}, &got) != nil {
		return nil, nothingElse
	}
	for _, s := range got.Services {
		if strings.HasPrefix(s.Name, begun) {
			out = append(out, s.Name)
		}
	}
	return out, nothingElse
}

// alertIDs are the alerts that fire.
func (t *tool) alertIDs(c *cobra.Command, args []string, begun string) (out []string, _ cobra.ShellCompDirective) {
	if c.Name() == "note" && len(args) > 0 || t.quick(c) != nil {
		return nil, nothingElse
	}
	raw, err := t.api.Do(c.Context(), client.Request{Path: alertsPath, Query: url.Values{"state": {strings.Join(openStates, ",")}}})
	if err != nil {
		return nil, nothingElse
	}
	var got struct {
		Alerts []alertRow `json:"alerts"`
	}
	if json.Unmarshal(raw, &got) != nil {
		return nil, nothingElse
	}
	for _, r := range got.Alerts {
		if strings.HasPrefix(r.ID, begun) {
			out = append(out, r.ID[:min(shortID, len(r.ID))]+"\t"+r.RuleName+" "+labelText(r.Labels))
		}
	}
	return out, nothingElse
}

// teams are the owners of rules.
func (t *tool) teams(c *cobra.Command, _ []string, begun string) (out []string, _ cobra.ShellCompDirective) {
	if t.quick(c) != nil {
		return nil, nothingElse
	}
	rows, err := t.serverRules(c.Context(), "")
	if err != nil {
		return nil, nothingElse
	}
	seen := map[string]bool{"": true}
	for _, r := range rows {
		if !seen[r.Team] && strings.HasPrefix(r.Team, begun) {
			seen[r.Team] = true
			out = append(out, r.Team)
		}
	}
	return out, nothingElse
}
