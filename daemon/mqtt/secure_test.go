package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = a.issue(t, x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue makes a certificate; without one of its own, the authority's.
func (a *authority) issue(t *testing.T, c x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.NotBefore = c.NotAfter.Add(-2 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = &c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// client is a certificate for a device.
func (a *authority) client(t *testing.T) tls.Certificate {
	t.Helper()
	cert, key := a.issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "pi-door"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func writePEM(t *testing.T, file, kind string, der []byte) string {
	t.Helper()
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
	return file
}

// secure makes the listener ask for a certificate of the authority, and show one.
func (m *mosquitto) secure(t *testing.T, a *authority, validUntil time.Time) {
	t.Helper()
	dir := filepath.Dir(m.config)
	cert, key := a.issue(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: validUntil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	m.add(t, "cafile "+writePEM(t, filepath.Join(dir, "ca.pem"), "CERTIFICATE", a.cert.Raw)+
		"\ncertfile "+writePEM(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", cert.Raw)+
		"\nkeyfile "+writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", der)+
		"\nrequire_certificate true\n")
}

// add adds lines to the configuration.
func (m *mosquitto) add(t *testing.T, lines string) {
	t.Helper()
	config, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, m.config, string(config)+lines)
}

// web makes the listener speak WebSocket. Mosquitto 2.0.11 ends when it has no
// other.
func (m *mosquitto) web(t *testing.T) {
	t.Helper()
	config, err := os.ReadFile(m.config)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(freeAddr(t))
	write(t, m.config, "listener "+port+" 127.0.0.1\n"+string(config)+"protocol websockets\n")
}

// outcome starts the publisher, and returns the error of its first attempt, or ""
// once the event that waited has been published.
func (r *rig) outcome(t *testing.T) string {
	t.Helper()
	r.record(t, 0, 1)
	r.start()
	s := r.until(t, func(s Status) bool { return s.Connected || s.Err != nil })
	if s.Err == nil {
		r.emptied(t)
		if r.Counters().Acked == 0 {
			t.Error("the event left the outbox, and nobody acknowledged it")
		}
		r.stop(t)
		return ""
	}
	r.stop(t)
	return s.Err.Error()
}

// TestBrokersWithCertificatesAndPasswords goes through what can be wrong, over
// TLS and over WebSocket in TLS, with mosquitto.
func TestBrokersWithCertificatesAndPasswords(t *testing.T) {
	const (
		password     = "right horse"
		untrusted    = "the broker's certificate is signed by nobody who is trusted here: set mqtt.tls.ca to the certificate of the authority that signed it"
		wrongName    = "the broker's certificate is not made out to localhost: write the name that it has into mqtt.broker, or give the broker another certificate"
		noCert       = "the broker refuses this device's certificate, or misses one: set mqtt.tls.cert and mqtt.tls.key to one that its authority has signed"
		wrongLogin   = `the broker refuses the login of user "pi": check mqtt.username and the password in mqtt.password_file`
		notEncrypted = "no answer to MQTT: is it an MQTT broker, and does it want TLS (tls://)? "
	)
	ca, stranger := newAuthority(t, "ours"), newAuthority(t, "another")
	for _, scheme := range []string{"tls", "wss"} {
		b := newMosquitto(t, "pi", password)
		if scheme == "wss" {
			b.web(t)
		}
		b.secure(t, ca, time.Time{})
		b.start(t)
		for name, tc := range map[string]struct {
			change func(*rig)
			want   string
		}{
			"all is right":        {func(*rig) {}, ""},
			"another authority":   {func(r *rig) { r.TLS.RootCAs = stranger.pool() }, untrusted},
			"none":                {func(r *rig) { r.TLS = nil }, untrusted},
			"another name":        {func(r *rig) { r.Broker = strings.Replace(r.Broker, "127.0.0.1", "localhost", 1) }, wrongName},
			"no certificate":      {func(r *rig) { r.TLS.Certificates = nil }, noCert}, // TLS 1.3
			"no certificate, 1.2": {func(r *rig) { r.TLS.Certificates, r.TLS.MaxVersion = nil, tls.VersionTLS12 }, noCert},
			"wrong password":      {func(r *rig) { write(t, r.PasswordFile, "wrong horse\n") }, wrongLogin},
			"stranger's certificate": {func(r *rig) {
				// One that the broker's list of authorities does not name is not even sent, unless forced.
				cert := stranger.client(t)
				r.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
			}, noCert},
			"not encrypted": {func(r *rig) {
				r.Broker = strings.NewReplacer("tls:", "tcp:", "wss:", "tcp:").Replace(r.Broker)
			}, notEncrypted},
		} {
			t.Run(scheme+", "+name, func(t *testing.T) {
				r := newRig(t, b.addr())
				r.Broker = scheme + "://" + b.addr()
				r.TLS = &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{ca.client(t)}}
				r.Username, r.PasswordFile = "pi", filepath.Join(t.TempDir(), "password")
				write(t, r.PasswordFile, password+"\n")
				tc.change(r)
				if got := r.outcome(t); got != tc.want && (tc.want != notEncrypted || !strings.HasPrefix(got, tc.want)) {
					t.Errorf("error %q\n want %q", got, tc.want)
				}
				if strings.Contains(r.log.String(), "horse") {
					t.Errorf("a password is in the log:\n%s", r.log)
				}
			})
		}
		b.kill()
	}
}

func TestAnExpiredCertificateMakesOneLookAtTheClock(t *testing.T) {
	ca := newAuthority(t, "ours")
	b := newMosquitto(t)
	b.secure(t, ca, time.Now().Add(-time.Minute))
	b.start(t)
	r := newRig(t, b.addr())
	r.Broker = "tls://" + b.addr()
	r.TLS = &tls.Config{RootCAs: ca.pool()}
	const want = "the broker's certificate is not valid at this time: is this device's clock right? current time "
	if got := r.outcome(t); !strings.HasPrefix(got, want) {
		t.Errorf("error %q\n want %q", got, want)
	}
}

// TestWebSocket has the events go through mosquitto's WebSocket listener, and
// says what is wrong when it is none.
func TestWebSocket(t *testing.T) {
	web, plain := newMosquitto(t), newMosquitto(t)
	web.web(t)
	web.start(t)
	plain.start(t)
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	for broker, want := range map[string]string{
		"ws://" + web.addr() + "/mqtt":           "",
		"ws://" + page.Listener.Addr().String():  `mqtt.broker answers "404 Not Found" and not with WebSocket: check the port, and the path behind it`,
		"wss://" + page.Listener.Addr().String(): "the broker does not speak TLS at this port: check the port in mqtt.broker, or use mqtt://",
		"ws://" + plain.addr():                   "does mqtt.broker speak WebSocket (ws://) at this port?",
	} {
		r := newRig(t, "")
		r.Broker = broker
		if got := r.outcome(t); got != want && (want == "" || !strings.HasSuffix(got, want)) {
			t.Errorf("%s: error %q\n want %q", broker, got, want)
		}
	}
}

// TestAWebSocketThatIsCutLosesNothing loses the connection under it, and stops
// while events are on their way.
func TestAWebSocketThatIsCutLosesNothing(t *testing.T) {
	b := newMosquitto(t)
	b.web(t)
	b.start(t)
	network := newProxy(t, b.addr())
	r := newRig(t, "")
	r.Broker = "ws://" + network.addr()
	r.start()
	for i := range 5 {
		r.connected(t)
		r.record(t, 20*i, 20)
		network.cut()
	}
	r.emptied(t)
	if c := r.Counters(); c.Acked < 100 || c.Reconnects < 5 {
		t.Errorf("counters %+v", c)
	}
}
