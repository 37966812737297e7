package ctl

import (
	"encoding/xml"
	"os"
	"strings"

	"github.com/logmill/logmill/services/api/internal/ctl/ruletest"
)

// The parts of a JUnit report that CI systems read.
type (
	junitSuites struct {
		XMLName xml.Name      `xml:"testsuites"`
		Suites  []*junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit is the report: a suite a file.
func junit(results []ruletest.Result) []byte {
	var out junitSuites
	for _, r := range results {
		if n := len(out.Suites); n == 0 || out.Suites[n-1].Name != r.File {
			out.Suites = append(out.Suites, &junitSuite{Name: r.File})
		}
		s := out.Suites[len(out.Suites)-1]
		c := junitCase{Name: r.Name, Class: r.File}
		if len(r.Failures) > 0 {
			var lines []string
			for _, f := range r.Failures {
				lines = append(append(lines, where(f)), f.Diff...)
			}
			c.Failure = &junitFailure{Message: where(r.Failures[0]), Text: strings.Join(lines, "\n")}
			s.Failures++
		}
		s.Tests++
		s.Cases = append(s.Cases, c)
	}
	raw, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(err) // texts and numbers: cannot happen
	}
	return append([]byte(xml.Header), append(raw, '\n')...)
}

// write writes a file; "-" is standard output.
func (t *tool) write(name string, data []byte) error {
	if name == "-" {
		_, err := t.env.Out.Write(data)
		return err
	}
	if err := os.WriteFile(t.path(name), data, 0o644); err != nil {
		return named(name, err)
	}
	return nil
}
