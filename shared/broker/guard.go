package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

var errNotKafka = errors.New("not a Kafka request")

// guardListener lets only well-formed requests through to kfake: an HTTP request on its port would cost 1.2 GB or the process.
// Until it is open, only our own connections come in.
type guardListener struct {
	net.Listener
	wrap   func(net.Conn) net.Conn
	inside chan net.Conn
	open   chan struct{}
}

// dial is a connection of our own.
func (l guardListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.inside <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l guardListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.inside:
		return c, nil
	case <-l.open:
	}
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.wrap != nil {
		c = l.wrap(c)
	}
	return &guardConn{Conn: c}, nil
}

// guardConn checks the first eight bytes of each request (length, key, version) before it hands them on.
type guardConn struct {
	net.Conn
	head    [8]byte
	pending []byte // of head, not yet handed on
	body    int    // bytes of this request after head
}

func (g *guardConn) Read(p []byte) (int, error) {
	if len(g.pending) == 0 && g.body == 0 {
		if err := g.begin(); err != nil {
			return 0, err
		}
	}
	if len(g.pending) > 0 {
		n := copy(p, g.pending)
		g.pending = g.pending[n:]
		return n, nil
	}
	n, err := g.Conn.Read(p[:min(len(p), g.body)])
	g.body -= n
	return n, err
}

func (g *guardConn) begin() error {
	if _, err := io.ReadFull(g.Conn, g.head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(g.head[:4])
	key := int16(binary.BigEndian.Uint16(g.head[4:6]))
	if size < 8 || size > maxFrame || !known(key) {
		return errNotKafka
	}
	g.pending, g.body = g.head[:], int(size)-4
	return nil
}
