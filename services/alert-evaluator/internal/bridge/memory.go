package bridge

// past is what is remembered of a fingerprint.
type past struct {
	sequence int64 // of the last event
	told     bool  // the receiver was told of the episode under way, or may have been
}

// memory has the fingerprints of at least the maxSeen events that came last: two generations, the older one is dropped.
type memory struct{ young, old map[string]past }

func (m *memory) get(fingerprint string) (h past, ok bool) {
	if h, ok = m.young[fingerprint]; !ok {
		h, ok = m.old[fingerprint]
	}
	return h, ok
}

func (m *memory) put(fingerprint string, h past) {
	if m.young == nil || len(m.young) >= maxSeen {
		m.young, m.old = map[string]past{}, m.young
	}
	m.young[fingerprint] = h
}
