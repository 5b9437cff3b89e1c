package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

// overWebSocket speaks WebSocket over conn, and is the stream in it, as MQTT
// 3.1.1 has it (section 6): binary messages, whose borders mean nothing. Paho
// could dial, too, but would not end with ctx. After an error conn is closed.
func overWebSocket(ctx context.Context, conn net.Conn, broker *url.URL) (net.Conn, error) {
	dialer := websocket.Dialer{
		NetDialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		Subprotocols:   []string{"mqtt"},
	}
	address := *broker
	address.Scheme = "ws" // TLS, if any, is conn's
	ws, response, err := dialer.DialContext(ctx, address.String(), nil)
	switch { // Gorilla has closed conn, if it failed
	case errors.Is(err, websocket.ErrBadHandshake) && response != nil:
		return nil, fmt.Errorf("mqtt.broker answers %q and not with WebSocket: check the port, and the path behind it", response.Status)
	case err != nil && secure(broker):
		return nil, explainTLS(err, broker.Hostname())
	case err != nil:
		return nil, fmt.Errorf("%w: does mqtt.broker speak WebSocket (ws://) at this port?", plain(err))
	}
	return &stream{Conn: ws}, nil
}

// stream makes a net.Conn of a WebSocket. As with any, one goroutine may read
// while another writes.
type stream struct {
	*websocket.Conn
	message io.Reader // what is left of the one being read
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.message == nil {
			_, message, err := s.NextReader()
			if err != nil {
				return 0, err
			}
			s.message = message
		}
		n, err := s.message.Read(p)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (s *stream) Write(p []byte) (int, error) {
	if err := s.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}
