package scan

import (
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
)

// network is query.Network: the whole value is an address of it.
type network struct{ prefix netip.Prefix }

func newNetwork(cidr string) (network, error) {
	p, err := netip.ParsePrefix(cidr)
	return network{p}, err
}

func (n network) match(s []byte) bool {
	a, err := netip.ParseAddr(unsafeString(s))
	return err == nil && n.prefix.Contains(a.Unmap().WithZone(""))
}

// address is the field ip: an address of the network stands in the message, or is the value of an attribute.
func (c *compiler) address(pred query.Pred) (node, error) {
	p, ok := pred.(query.Network)
	if !ok {
		return nil, unfit(pred)
	}
	n, err := newNetwork(p.CIDR)
	if err != nil {
		return nil, err
	}
	message := &textLeaf{column: "message", m: newMention(n), price: costIP}
	return &orNode{[]node{&anyAttribute{n}, message}}, nil
}

// mention matches a text in which an address of a network stands.
type mention struct {
	network
	search []needle
}

// newMention looks for the octets that all addresses of an IPv4 network begin with.
func newMention(n network) *mention {
	m := &mention{network: n}
	if a := n.prefix.Addr(); a.Is4() && n.prefix.Bits() >= 8 {
		octets := strings.SplitAfter(a.String(), ".")
		m.search = []needle{newNeedle(strings.Join(octets[:min(n.prefix.Bits()/8, 3)], ""), false)}
	}
	return m
}

func (m *mention) needles() []needle { return m.search }
func (m *mention) exact() bool       { return false }

func isAddressByte(c byte) bool {
	return '0' <= c && c <= '9' || c == '.' || c == ':' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// match looks at each run of hex digits, dots and colons that neither begins nor ends inside a word.
func (m *mention) match(s []byte) bool {
	for i := 0; i < len(s); {
		if !isAddressByte(s[i]) {
			i++
			continue
		}
		end := i
		for end < len(s) && isAddressByte(s[end]) {
			end++
		}
		if end-i >= len("::1") && !wordBefore(s, i) && !wordAfter(s, end) && m.inRun(s[i:end]) {
			return true
		}
		i = end
	}
	return false
}

// inRun knows addresses at the end of a sentence, and with a port.
func (m *mention) inRun(run []byte) bool {
	text := strings.TrimRight(unsafeString(run), ".:")
	if m.network.match(unsafeBytes(text)) {
		return true
	}
	host, _, found := strings.Cut(text, ":")
	return found && strings.Count(host, ".") == 3 && m.network.match(unsafeBytes(host))
}

// anyAttribute asks all attributes.
type anyAttribute struct{ m matcher }

func (a *anyAttribute) prune(*Block) (bool, bool) { return true, false }
func (a *anyAttribute) cost() int                 { return costSearch }

func (a *anyAttribute) run(x *exec, cand Bitmap) (Bitmap, error) {
	out := x.bitmap()
	for _, name := range x.view.Names() {
		if !strings.HasPrefix(name, block.AttributePrefix) && name != block.RestColumn {
			continue
		}
		c, err := x.view.Column(name)
		if err != nil {
			return nil, err
		}
		m := a.m
		if name == block.RestColumn {
			m = anyValue{a.m}
		}
		found := x.texts(c, m, cand)
		out.Or(found)
		x.release(found)
	}
	return out, nil
}

// anyValue asks each value of a JSON object.
type anyValue struct{ m matcher }

func (a anyValue) match(b []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(b, &fields) != nil {
		return false
	}
	for _, v := range fields {
		if a.m.match(textOf(v)) {
			return true
		}
	}
	return false
}
