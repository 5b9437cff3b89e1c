package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"facerecd/daemon/config"
)

// brokerTLS is what the configuration asks for towards the broker; nil when it
// asks for nothing.
func brokerTLS(c config.MQTTTLS) (*tls.Config, error) {
	if c == (config.MQTTTLS{}) {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read mqtt.tls.ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt.tls.ca %s holds no PEM certificate", c.CA)
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("read mqtt.tls.cert and mqtt.tls.key: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// serverTLS is the HTTP port's certificate; nil when there is none.
func serverTLS(c config.Pair) (*tls.Config, error) {
	if c.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read http.tls.cert and http.tls.key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}
