package dedup

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
)

const second = int64(time.Second)

func of(producer byte, sequence int64) contract.Identity {
	return contract.Identity{Producer: contract.ProducerID{producer}, Sequence: sequence}
}

func load(t testing.TB, data []byte) *Producers {
	t.Helper()
	p, err := Load(data)
	require.NoError(t, err)
	return p
}

// store is a block of one message that is committed.
func store(p *Producers, id contract.Identity, at int64) (data []byte) {
	p.Begin()
	p.Fresh(id, at)
	data, _ = p.Encode()
	p.Stored()
	return data
}

func TestARepeatIsKnown(t *testing.T) {
	t.Parallel()
	p := load(t, nil)
	require.True(t, p.Fresh(of(1, 1), 10))
	require.True(t, p.Fresh(of(1, 5), 10), "numbers need not be without gaps")
	require.False(t, p.Fresh(of(1, 5), 10), "twice in one block")
	require.False(t, p.Fresh(of(1, 1), 10))
	require.True(t, p.Fresh(of(2, 1), 10), "another producer counts for itself")
	require.True(t, p.Fresh(contract.Identity{}, 10), "no identity: taken as it is")
	require.True(t, p.Fresh(contract.Identity{}, 10))
	data, _ := p.Encode()
	p.Stored()
	for _, q := range []*Producers{p, load(t, data)} {
		q.Begin()
		require.False(t, q.Fresh(of(1, 5), 11))
		require.True(t, q.Fresh(of(1, 6), 11))
		require.False(t, q.Fresh(of(2, 1), 11))
	}
}

func TestABlockThatWasNotStoredIsForgotten(t *testing.T) {
	t.Parallel()
	p := load(t, nil)
	store(p, of(1, 1), 10)
	p.Begin()
	require.True(t, p.Fresh(of(1, 2), 10))
	_, _ = p.Encode()
	p.Begin() // its commit failed
	require.True(t, p.Fresh(of(1, 2), 10))
	require.False(t, p.Fresh(of(1, 1), 10))
}

func TestNothingIsWrittenWhenNothingChanges(t *testing.T) {
	t.Parallel()
	p := load(t, nil)
	data, _ := p.Encode()
	require.Nil(t, data)
	store(p, of(1, 1), 10)
	p.Begin()
	p.Fresh(of(1, 1), 10)
	p.Fresh(contract.Identity{}, 10)
	data, _ = p.Encode()
	require.Nil(t, data)
	p.Stored()
	require.False(t, p.Fresh(of(1, 1), 10), "a block without anything to remember keeps what was remembered")
}

// TestSilentProducersAreForgottenByTheMessagesTimes: an outage of the processor, however long, forgets nobody.
func TestSilentProducersAreForgottenByTheMessagesTimes(t *testing.T) {
	t.Parallel()
	keep := int64(KeepProducer)
	p := load(t, nil)
	store(p, of(1, 7), 100*second)
	store(p, of(2, 1), 100*second+keep)
	p.Begin()
	require.False(t, p.Fresh(of(1, 7), 100*second), "not yet forgotten")
	store(p, of(2, 2), 101*second+keep)
	p.Begin()
	require.True(t, p.Fresh(of(1, 7), 101*second+keep))
	require.False(t, p.Fresh(of(2, 2), 101*second+keep))
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	p := load(t, nil)
	p.Begin()
	const many = MaxProducers + 30
	for i := range many {
		id := contract.Identity{Producer: contract.ProducerID{byte(i), byte(i >> 8)}, Sequence: 1}
		require.True(t, p.Fresh(id, 10*second+int64(i)))
	}
	data, forgotten := p.Encode()
	p.Stored()
	require.Equal(t, many-MaxProducers, forgotten)
	require.Len(t, data, 1+MaxProducers*entrySize)
	require.True(t, p.Fresh(of(0, 1), 11*second), "the one that was silent for longest made room")
	newest := contract.ProducerID{byte((many - 1) & 0xff), byte((many - 1) >> 8)}
	require.False(t, p.Fresh(contract.Identity{Producer: newest, Sequence: 1}, 11*second))
}

func TestGoldenMemory(t *testing.T) {
	t.Parallel()
	const golden = "01" + "abcd0000000000000000000000000000" + "0000000000000007" + "00000000000003e8"
	id := contract.ProducerID{0xab, 0xcd}
	p := load(t, nil)
	require.Equal(t, golden, hex.EncodeToString(store(p, contract.Identity{Producer: id, Sequence: 7}, 1000)))
	raw, err := hex.DecodeString(golden)
	require.NoError(t, err)
	require.Equal(t, map[contract.ProducerID]mark{id: {7, 1000}}, load(t, raw).stored)
}

func TestADamagedMemoryIsAnEmptyOne(t *testing.T) {
	t.Parallel()
	for _, data := range [][]byte{{2}, {1, 1}, make([]byte, 33), append([]byte{1}, make([]byte, 40)...)} {
		p, err := Load(data)
		require.ErrorIs(t, err, errUnreadable)
		require.True(t, p.Fresh(of(1, 1), 1))
	}
}

// TestAnyHistoryOfRepeats: producers write in order, and a broker that forgets writes tails of it again. Whatever blocks fail, each message
// is stored once.
func TestAnyHistoryOfRepeats(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var log []contract.Identity
		sent := map[contract.Identity]bool{}
		var last [4]int64
		for range 300 {
			producer := byte(r.IntN(4))
			if again := int64(r.IntN(12)) - 8; again > 0 { // the newest few are written again
				for s := max(1, last[producer]-again+1); s <= last[producer]; s++ {
					log = append(log, of(producer, s))
				}
			}
			last[producer]++
			log = append(log, of(producer, last[producer]))
			sent[of(producer, last[producer])] = true
		}
		stored := map[contract.Identity]int{}
		p := load(t, nil)
		for at := 0; at < len(log); {
			n := min(len(log)-at, 1+r.IntN(10))
			var block []contract.Identity
			p.Begin()
			for _, id := range log[at : at+n] {
				if p.Fresh(id, second) {
					block = append(block, id)
				}
			}
			data, _ := p.Encode()
			if r.IntN(4) == 0 {
				continue // not committed: the same messages come again
			}
			p.Stored()
			if r.IntN(4) == 0 && data != nil {
				p = load(t, data) // another owner
			}
			for _, id := range block {
				stored[id]++
			}
			at += n
		}
		require.Len(t, stored, len(sent))
		for id, n := range stored {
			require.Equal(t, 1, n, id)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load(data)
		if err == nil && len(p.stored)*entrySize == max(0, len(data)-1) {
			again, err := Load(encode(p.stored))
			require.NoError(t, err)
			require.Equal(t, p.stored, again.stored)
		}
	})
}

// BenchmarkProducers is what a block of 8 messages costs with one collector, and with as many as are remembered.
func BenchmarkProducers(b *testing.B) {
	for _, n := range []int{1, 16, MaxProducers} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			p := load(b, nil)
			p.Begin()
			for i := range n {
				p.Fresh(contract.Identity{Producer: contract.ProducerID{byte(i), byte(i >> 8)}, Sequence: 1}, second)
			}
			_, _ = p.Encode()
			p.Stored()
			b.ReportAllocs()
			for sequence := int64(2); b.Loop(); sequence += 8 {
				p.Begin()
				for i := range int64(8) {
					p.Fresh(of(0, sequence+i), second)
				}
				_, _ = p.Encode()
				p.Stored()
			}
		})
	}
}
