package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// secured makes the TLS handshake with the broker. After an error conn is
// closed.
func secured(ctx context.Context, conn net.Conn, config *tls.Config, host string) (net.Conn, error) {
	config = config.Clone() // also nil, of nil
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	t := tls.Client(conn, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(explainTLS(err, host), conn.Close())
	}
	return t, nil
}

// explainTLS says what to do about a handshake that failed.
func explainTLS(err error, host string) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return errors.New("the broker's certificate is signed by nobody who is trusted here: set mqtt.tls.ca to the certificate of the authority that signed it")
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("the broker's certificate is not made out to %s: write the name that it has into mqtt.broker, or give the broker another certificate", host)
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return fmt.Errorf("the broker's certificate is not valid at this time: is this device's clock right? %s", e.Detail)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("the broker does not speak TLS at this port: check the port in mqtt.broker, or use mqtt://")
	}
	text := err.Error()
	// In TLS 1.3 the broker's alert (RFC 8446, 6.2) comes after the handshake, and
	// what it closes meanwhile is reset.
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if reset || strings.Contains(text, "remote error: tls: ") &&
		(strings.Contains(text, "certificate") || strings.Contains(text, "handshake failure") || strings.Contains(text, "access denied")) {
		return errors.New("the broker refuses this device's certificate, or misses one: set mqtt.tls.cert and mqtt.tls.key to one that its authority has signed")
	}
	return fmt.Errorf("the broker does not answer over TLS as an MQTT broker does: %w", plain(err))
}
