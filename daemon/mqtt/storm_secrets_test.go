package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	stormUser     = "pi"
	stormPassword = "right horse"
)

// secrets is a folder with what a client of newSecureMosquitto needs; "" for
// those of a broker that asks for nothing.
type secrets string

// newSecureMosquitto makes a broker that asks for a certificate and a password.
func newSecureMosquitto(t *testing.T) (*mosquitto, secrets) {
	t.Helper()
	ca := newAuthority(t, "ours")
	b := newMosquitto(t, stormUser, stormPassword)
	b.secure(t, ca, time.Time{})
	s := secrets(t.TempDir())
	device := ca.client(t)
	key, err := x509.MarshalPKCS8PrivateKey(device.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, s.file("ca.pem"), "CERTIFICATE", ca.cert.Raw)
	writePEM(t, s.file("device.pem"), "CERTIFICATE", device.Certificate[0])
	writePEM(t, s.file("device.key"), "PRIVATE KEY", key)
	write(t, s.password(), stormPassword+"\n")
	return b, s
}

func (s secrets) file(name string) string { return filepath.Join(string(s), name) }
func (s secrets) password() string        { return s.file("password") }

func (s secrets) tls() (*tls.Config, error) {
	device, err := tls.LoadX509KeyPair(s.file("device.pem"), s.file("device.key"))
	if err != nil {
		return nil, fmt.Errorf("read the device's certificate: %w", err)
	}
	authority, err := os.ReadFile(s.file("ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{device}}, nil
}
