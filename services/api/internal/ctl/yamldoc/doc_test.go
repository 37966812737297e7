package yamldoc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

type inner struct {
	Name  string            `json:"name"`
	Count int64             `json:"count"`
	Map   map[string]string `json:"map"`
}

type outer struct {
	Text  string     `json:"text"`
	List  []string   `json:"list"`
	Ratio *float64   `json:"ratio"`
	On    bool       `json:"on"`
	Inner inner      `json:"inner"`
	Raw   *yaml.Node `json:"raw"`
}

func read(src string) (outer, []string) {
	d := Parse("f.yaml", []byte(src))
	var o outer
	if d.Root() != nil {
		d.Fill(d.Root(), &o)
	}
	var said []string
	for _, p := range d.Problems() {
		said = append(said, p.Error())
	}
	return o, said
}

func TestFill(t *testing.T) {
	t.Parallel()
	o, said := read("text: |\n  a\n  b\nlist: [x, \"2\", 2026-01-01]\nratio: 1_000\non: true\ninner: &i {name: n, count: 0x10, map: {k: v}}\nraw: {any: [thing, null]}\n")
	require.Empty(t, said)
	require.Equal(t, "a\nb\n", o.Text)
	require.Equal(t, []string{"x", "2", "2026-01-01"}, o.List)
	require.InDelta(t, 1000, *o.Ratio, 0)
	require.True(t, o.On)
	require.Equal(t, inner{"n", 16, map[string]string{"k": "v"}}, o.Inner)
	require.Equal(t, yaml.MappingNode, o.Raw.Kind)
	d := Parse("f", []byte("a: [1, 2.5, yes, true, {b: &x c}, *x, 2026-01-01]\n<<: {a: no, z: ~}"))
	require.JSONEq(t, `{"a":[1,2.5,"yes",true,{"b":"c"},"c","2026-01-01"],"z":null}`, string(d.JSON(d.Root())))
}

func TestMergeKeys(t *testing.T) {
	t.Parallel()
	o, said := read("raw:\n  - &a {name: a, count: 1}\n  - &b {count: 2, map: {k: v}}\ninner:\n  <<: [*a, *b]\n  name: own\n")
	require.Empty(t, said)
	require.Equal(t, inner{"own", 1, map[string]string{"k": "v"}}, o.Inner)
}

func TestMistakesHaveTheirPlaces(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"":                                    "f.yaml:1:1: the file is empty",
		"# nothing\n":                         "f.yaml:1:1: the file is empty",
		"text: a\n---\ntext: b\n":             "f.yaml:2:1: a second document begins here: put everything into the first",
		"text: 'a\n":                          "f.yaml:",
		"- a":                                 "f.yaml:1:1: must be a mapping of names to values, not a list",
		"text: a\nlist: x":                    `f.yaml:2:7: must be a list, not "x"`,
		"text: 12":                            `f.yaml:1:7: must be a text: write it in quotes, "12"`,
		"text:\non: true":                     "f.yaml:1:6: there is no value",
		"on: yes":                             `f.yaml:1:5: must be true or false, not "yes"`,
		"ratio: .nan":                         "f.yaml:1:8: must be a finite number",
		"ratio: [1]":                          "f.yaml:1:8: must be a single value, not a list",
		"inner: {count: 1.5}":                 `f.yaml:1:16: must be a whole number, not "1.5"`,
		"inner: {map: {k: true}}":             `f.yaml:1:18: must be a text: write it in quotes, "true"`,
		"inner:\n  nam: x":                    `f.yaml:2:3: there is no field "nam" here (did you mean name?)`,
		"colour: red":                         `f.yaml:1:1: there is no field "colour" here (text, list, ratio, on, inner, raw)`,
		"text: a\ntext: b":                    "f.yaml:2:1: text stands here twice",
		"text: !!binary aGk=":                 "f.yaml:1:7: the tag !!binary has no meaning here",
		"[a]: b":                              "f.yaml:1:1: a name must be a text",
		"text: " + strings.Repeat("x", 1<<20): "f.yaml: the file has 1048582 bytes, at most 1048576 are read",
	} {
		_, said := read(src)
		require.NotEmpty(t, said, src)
		require.True(t, strings.HasPrefix(said[0], want), "%.60q gives %q", src, said)
	}
}

// TestHostileFiles: what is made to take memory or time ends soon, with a message.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	for name, src := range map[string]string{
		"an alias of itself":       "raw: &r {a: *r}\ntext: a",
		"an alias that multiplies": bomb.String(),
		"depth":                    "raw: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"merges that multiply":     strings.ReplaceAll(strings.ReplaceAll(bomb.String(), "[", "{<<: ["), "]", "]}"),
		"one long text often":      "a: &a " + strings.Repeat("x", 1<<19) + "\nb: [" + strings.Repeat("*a,", 1000) + "]",
	} {
		d := Parse(name, []byte(src))
		require.NotNil(t, d.Root(), name)
		require.Nil(t, d.JSON(d.Root()), name)
		require.NotEmpty(t, d.Problems(), name)
		require.LessOrEqual(t, d.spent, maxExpanded+1<<20, name)
	}
	_, said := read("raw: " + strings.Repeat("[", 20000))
	require.Contains(t, said[0], "this is not YAML: exceeded max depth")
	_, said = read(strings.Repeat("x: 1\n", 5000))
	require.Len(t, said, MaxProblems+1)
	require.Contains(t, said[MaxProblems], "are not shown")
}

// TestPlacesInsideTexts: in every style that YAML has, the place is where the character stands in the file.
func TestPlacesInsideTexts(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"text: COUNT(X) > 1",
		"text:   'it''s COUNT(X)'",
		`text: "a \"quoted\" COUNT(X)"`,
		"text: |\n  first line\n  COUNT(\n    X)\n",
		"text: >-  # folded\n\n    first line\n    goes on COUNT(X)\n",
		"text: first line\n  goes on COUNT(X)\n",
		"text: &anchor !!str COUNT(X)",
		"text: \"first line\n\n  COUNT(X) \"",
		"text: äöü COUNT(X)",
		"on: false\r\ntext: |\r\n  COUNT(X)\r\n",
	} {
		d := Parse("f", []byte(src))
		var o outer
		got := d.Fill(d.Root(), &o)
		require.Empty(t, d.Problems(), src)
		require.Contains(t, o.Text, "X", src)
		line, column := d.inside(got["text"], strings.Index(o.Text, "X"))
		require.Equal(t, "X", string([]rune(strings.Split(src, "\n")[line-1])[column-1]), "%q: %d:%d", src, line, column)
	}
	d := Parse("f", []byte(`text: "\u0041\u0042"`))
	var o outer
	d.WrongInside(d.Fill(d.Root(), &o)["text"], 1, "no")
	require.Equal(t, "f:1:7: no", d.Problems()[0].Error())
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"text: a\nlist: [x]\ninner: {name: n, map: {k: v}}", "a: &a [*a]", "<<: {a: 1}", "text: |\n  x\n", "? [a]\n: b", "\xff\xfe", "text: >-\n\n  x"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, src string, at int) {
		d := Parse("f", []byte(src))
		if d.Root() == nil {
			require.NotEmpty(t, d.Problems())
			return
		}
		var o outer
		got := d.Fill(d.Root(), &o)
		for _, n := range got {
			d.WrongInside(n, max(0, at), "here")
		}
		d.JSON(d.Root())
		for _, p := range d.Problems() {
			require.LessOrEqual(t, p.Line, len(d.lines)+1)
		}
	})
}
