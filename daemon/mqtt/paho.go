package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// All that is peculiar to paho.mqtt.golang (v1.5.1) is in this file.

const (
	connectTimeout = 10 * time.Second // for the TCP, TLS and MQTT handshakes, each
	keepAlive      = 15 * time.Second // a broker notices a dead device after 1.5 times this
	pingTimeout    = 5 * time.Second
	writeTimeout   = 10 * time.Second
)

// greeting is what CONNECT says.
type greeting struct {
	broker             *url.URL
	tls                *tls.Config
	clientID           string
	username, password string
	will               string // topic that says Offline, retained, when the connection breaks
	beat               func() // called between the handshakes
}

// link is one connection, which is never mended: a paho client that reconnects
// by itself may complete the token of a message without error although nobody
// knows whether the broker has it. Here a token without error is a PUBACK.
type link struct {
	client paho.Client
	conn   net.Conn
	lost   chan struct{} // closed when the connection has broken and all tokens have failed
	reason error         // why; to be read when lost is closed
	cutter sync.Once
}

// connect makes one attempt. It ends early with ctx.
func connect(ctx context.Context, g greeting) (*link, error) {
	conn, err := dial(ctx, g)
	if err != nil {
		return nil, err
	}
	g.beat()
	l := &link{conn: conn, lost: make(chan struct{})}
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{g.broker} // AddBroker would ignore an address that it cannot parse
	// Dialling ourselves lets ctx end it, and leaves us the connection for cut.
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return conn, nil })
	// Without an explicit version a refused client tries again as MQTT 3.1,
	// and a wrong password counts twice.
	o.SetProtocolVersion(4)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	// The outbox knows what has to be sent again, better than a session would.
	o.SetCleanSession(true)
	o.SetClientID(g.clientID)
	o.SetUsername(g.username)
	o.SetPassword(g.password)
	o.SetWill(g.will, Offline, 1, true)
	o.SetConnectTimeout(connectTimeout)
	o.SetKeepAlive(keepAlive)
	o.SetPingTimeout(pingTimeout)
	// Without it Publish can block for ever on a peer that does not read.
	o.SetWriteTimeout(writeTimeout)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) {
		l.reason = fmt.Errorf("connection lost: %w", plain(err))
		close(l.lost)
	})
	l.client = paho.NewClient(o)

	token := l.client.Connect().(*paho.ConnectToken)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	<-token.Done()
	ended := !stop()
	switch err := token.Error(); {
	case err == nil && ended:
		l.close()
		return nil, ctx.Err()
	case err == nil:
		return l, nil
	case ended:
		return nil, ctx.Err()
	default:
		return nil, explain(token.ReturnCode(), g, err)
	}
}

func dial(ctx context.Context, g greeting) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", g.broker.Host)
	if err != nil {
		return nil, fmt.Errorf("%w: is the broker running, and is mqtt.broker right?", err)
	}
	// Room for a window and one message that overshoots it; see publish.
	_ = conn.(*net.TCPConn).SetWriteBuffer(4 * windowBytes)
	if secure(g.broker) {
		if conn, err = secured(ctx, conn, g.tls, g.broker.Hostname()); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(g.broker.Scheme, "ws") {
		return overWebSocket(ctx, conn, g.broker)
	}
	return conn, nil
}

// publish hands over a message of QoS 1. Messages leave in the order of the
// calls. It returns at once unless an earlier message fills the socket's buffer:
// then it blocks until there is room, and for writeTimeout if the connection
// breaks meanwhile, of which paho's Publish does not hear.
func (l *link) publish(topic string, retained bool, payload []byte) paho.Token {
	return l.client.Publish(topic, 1, retained, payload)
}

// subscribe asks for what matches filter, with QoS 1. The token is to be asked
// for a denial when it is done. Paho calls receive in the order of the messages,
// and reads nothing more until it returns.
func (l *link) subscribe(filter string, receive func(Message)) paho.Token {
	return l.client.Subscribe(filter, 1, func(_ paho.Client, m paho.Message) {
		receive(Message{m.Topic(), m.Payload(), m.Retained()})
	})
}

// denial is what a broker says that does not grant a subscription: paho takes
// that for a success.
func denial(token paho.Token) error {
	if s, ok := token.(*paho.SubscribeToken); ok {
		for filter, qos := range s.Result() {
			if qos > 2 {
				return fmt.Errorf("the broker refuses the subscription to %s: let this device read there", filter)
			}
		}
	}
	return nil
}

// cut breaks the connection without a DISCONNECT, so that the broker publishes
// the last will. All calls that wait on it return. Paho takes no notice of a
// connection that is closed under it; a read that times out makes it clean up.
func (l *link) cut() {
	l.cutter.Do(func() { _ = l.conn.SetReadDeadline(time.Unix(1, 0)) })
}

// drop cuts the connection and waits until paho's goroutines are done with it.
func (l *link) drop() {
	l.cut()
	select {
	case <-l.lost:
	case <-time.After(5 * time.Second):
		// No way to this is known. If paho has one, better a goroutine left
		// behind than a daemon that says nothing from now on.
		_ = l.conn.Close()
	}
}

// close says DISCONNECT, which takes the last will back, and waits until paho's
// goroutines are done.
func (l *link) close() {
	l.client.Disconnect(250) // milliseconds; it returns when it is done
	_ = l.conn.Close()
}

// errCredentials is a refusal that trying again does not cure.
var errCredentials = errors.New("the broker refuses the login")

// explain says what to do about a failed MQTT handshake.
func explain(code byte, g greeting, err error) error {
	switch code {
	case packets.ErrRefusedBadUsernameOrPassword, packets.ErrRefusedNotAuthorised:
		if g.username == "" {
			return fmt.Errorf("%w: it wants a user name and a password: set mqtt.username and mqtt.password_file", errCredentials)
		}
		return fmt.Errorf("%w of user %q: check mqtt.username and the password in mqtt.password_file", errCredentials, g.username)
	case packets.ErrRefusedIDRejected:
		return errors.New("the broker refuses the client id: choose another name for device")
	case packets.ErrRefusedBadProtocolVersion:
		return errors.New("the broker does not speak MQTT 3.1.1: facerecd needs it")
	case packets.ErrRefusedServerUnavailable:
		return errors.New("the broker says that it is not available")
	}
	if secure(g.broker) {
		return explainTLS(err, g.broker.Hostname())
	}
	return fmt.Errorf("no answer to MQTT: is it an MQTT broker, and does it want TLS (tls://)? %w", plain(err))
}

// plain takes the addresses out of a network error: with them, which have
// another port each time, no two errors are alike.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
