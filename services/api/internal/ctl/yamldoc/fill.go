package yamldoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Nodes are the values of a mapping that has been read, by their keys.
type Nodes map[string]*yaml.Node

// Fill reads a mapping into the struct that into points to, by the names that the struct has in JSON; types that read themselves from
// JSON do. A field of type *yaml.Node is given the node. Whatever does not fit is a problem of the document, and is left as it was.
func (d *Doc) Fill(n *yaml.Node, into any) Nodes {
	return d.structure(n, reflect.ValueOf(into).Elem(), 1)
}

var (
	nodeType    = reflect.TypeFor[*yaml.Node]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

func (d *Doc) fill(n *yaml.Node, v reflect.Value, depth int) {
	n = d.follow(n, depth)
	switch {
	case n == nil:
	case v.Type() == nodeType:
		v.Set(reflect.ValueOf(n))
	case n.Tag == "!!null":
		d.Wrong(n, "there is no value")
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.fill(n, p.Elem(), depth+1)
		v.Set(p)
	case v.Addr().Type().Implements(unmarshaler):
		d.scalar(n, v)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, depth)
	case v.Kind() == reflect.Slice:
		d.list(n, v, depth)
	case v.Kind() == reflect.Map:
		d.table(n, v, depth)
	default:
		d.scalar(n, v)
	}
}

// follow resolves an alias and counts what is read. It returns nil when the file is too much; a problem says so once.
func (d *Doc) follow(n *yaml.Node, depth int) *yaml.Node {
	if d.spent > maxExpanded {
		return nil
	}
	at := n
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.spent += nodeCost + len(n.Value)
	if d.spent > maxExpanded {
		d.Wrong(at, "the file's aliases make it too large: the rest is not read")
		return nil
	}
	if depth > MaxDepth {
		d.spent = maxExpanded + 1 // whatever goes so deep once goes there often
		d.Wrong(at, "nested deeper than %d levels, or an alias that contains itself: the rest is not read", MaxDepth)
		return nil
	}
	return n
}

func (d *Doc) structure(n *yaml.Node, v reflect.Value, depth int) Nodes {
	places := map[string]int{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		places[name] = i
		names = append(names, name)
	}
	got := Nodes{}
	for _, e := range d.entries(n, depth) {
		i, ok := places[e.key.Value]
		if !ok {
			d.Wrong(e.key, "there is no field %q here%s", clip(e.key.Value), hint(e.key.Value, names))
			continue
		}
		got[e.key.Value] = e.value
		d.fill(e.value, v.Field(i), depth+1)
	}
	return got
}

// hint is the name that was probably meant, or all names.
func hint(word string, names []string) string {
	if near := expr.Nearest(word, names); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return " (" + strings.Join(names, ", ") + ")"
}

type entry struct{ key, value *yaml.Node }

// entries are the pairs of a mapping, with those that "<<" merges into it behind.
func (d *Doc) entries(n *yaml.Node, depth int) []entry {
	if n.Kind != yaml.MappingNode {
		d.Wrong(n, "must be a mapping of names to values, not %s", kindOf(n))
		return nil
	}
	var own, merged []entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := d.follow(n.Content[i], depth), n.Content[i+1]
		switch {
		case k == nil:
			return own
		case k.Kind != yaml.ScalarNode:
			d.Wrong(k, "a name must be a text")
		case k.Tag == "!!merge":
			merged = append(merged, d.merge(v, depth+1)...)
		case seen[k.Value]:
			d.Wrong(k, "%s stands here twice", clip(k.Value))
		default:
			seen[k.Value] = true
			own = append(own, entry{k, v})
		}
	}
	for _, e := range merged { // what stands there itself comes first, then the first merged
		if !seen[e.key.Value] {
			seen[e.key.Value] = true
			own = append(own, e)
		}
	}
	return own
}

func (d *Doc) merge(v *yaml.Node, depth int) []entry {
	v = d.follow(v, depth)
	if v == nil {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		return d.entries(v, depth)
	}
	var out []entry
	for _, c := range v.Content {
		if c = d.follow(c, depth+1); c != nil {
			out = append(out, d.entries(c, depth+1)...)
		}
	}
	return out
}

func (d *Doc) list(n *yaml.Node, v reflect.Value, depth int) {
	if n.Kind != yaml.SequenceNode {
		d.Wrong(n, "must be a list, not %s", kindOf(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.fill(c, out.Index(i), depth+1)
	}
	v.Set(out)
}

func (d *Doc) table(n *yaml.Node, v reflect.Value, depth int) {
	out := reflect.MakeMap(v.Type())
	for _, e := range d.entries(n, depth) {
		value := reflect.New(v.Type().Elem()).Elem()
		d.fill(e.value, value, depth+1)
		out.SetMapIndex(reflect.ValueOf(e.key.Value), value)
	}
	v.Set(out)
}

// scalar reads a single value the way JSON is read.
func (d *Doc) scalar(n *yaml.Node, v reflect.Value) {
	value, ok := d.plain(n)
	if !ok {
		return
	}
	raw, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(raw, v.Addr().Interface())
	}
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mismatch) && v.Kind() == reflect.String:
		d.Wrong(n, "must be a text: write it in quotes, %q", n.Value)
	case errors.As(err, &mismatch):
		d.Wrong(n, "must be %s, not %s", wanted(v.Kind()), kindOf(n))
	case err != nil:
		d.Wrong(n, "%v", err)
	}
}

// plain is the value of a scalar, as JSON can hold it.
func (d *Doc) plain(n *yaml.Node) (value any, ok bool) {
	if n.Kind != yaml.ScalarNode {
		d.Wrong(n, "must be a single value, not %s", kindOf(n))
		return nil, false
	}
	switch n.Tag {
	case "!!str", "!!timestamp":
		return n.Value, true
	case "!!int", "!!float", "!!bool", "!!null":
		if err := n.Decode(&value); err != nil {
			d.Wrong(n, "%q cannot be read", clip(n.Value))
			return nil, false
		}
		if f, isFloat := value.(float64); isFloat && (math.IsNaN(f) || math.IsInf(f, 0)) {
			d.Wrong(n, "must be a finite number")
			return nil, false
		}
		return value, true
	}
	d.Wrong(n, "the tag %s has no meaning here", clip(n.Tag))
	return nil, false
}

// JSON is a node as JSON, nil when it cannot be.
func (d *Doc) JSON(n *yaml.Node) json.RawMessage {
	before := len(d.problems)
	v := d.any(n, 1)
	if len(d.problems) > before || d.cut || d.spent > maxExpanded {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		d.Wrong(n, "%v", err)
		return nil
	}
	return raw
}

func (d *Doc) any(n *yaml.Node, depth int) any {
	n = d.follow(n, depth)
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.MappingNode:
		out := map[string]any{}
		for _, e := range d.entries(n, depth) {
			out[e.key.Value] = d.any(e.value, depth+1)
		}
		return out
	case n.Kind == yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			out[i] = d.any(c, depth+1)
		}
		return out
	}
	v, _ := d.plain(n)
	return v
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%q", clip(n.Value))
}

func wanted(k reflect.Kind) string {
	switch {
	case k == reflect.Bool:
		return "true or false"
	case slices.Contains([]reflect.Kind{reflect.Int, reflect.Int32, reflect.Int64}, k):
		return "a whole number"
	}
	return "a number"
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
