package main

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
	"os"
	"path/filepath"
	"testing"
	"time"

	"ctrecon/dicomio/dimse"
)

// certificates makes an authority in ca.pem, and a certificate of it in cert.pem with
// key.pem, good for 127.0.0.1 as server and as client.
func certificates(t *testing.T) (cert, key, ca string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write("cert.pem", "CERTIFICATE", leafDER), write("key.pem", "PRIVATE KEY", keyDER), write("ca.pem", "CERTIFICATE", rootDER)
}

// TestServeTLS: with certificates both ports speak TLS and want a certificate, and who
// has none, or speaks plainly, is not served.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	cert, key, ca := certificates(t)
	v := newVictim(t, newPACS(t, "PACS"), newPACS(t, "KEEPER"))
	v.args = append(v.args, "--tls-cert", cert, "--tls-key", key, "--tls-ca", ca)
	v.start()
	v.awaitReady()
	peer, err := dimse.ParsePeer("CTRECON@" + v.dimse)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := dimse.LoadTLS(cert, key, ca)
	if err != nil {
		t.Fatal(err)
	}
	without, err := dimse.LoadTLS("", "", ca)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  *tls.Config
		ok   bool
	}{{"with a certificate", ours, true}, {"without one", without, false}, {"plain", nil, false}} {
		limits := dimse.Limits{ARTIM: 2 * time.Second}
		if _, err := (&dimse.Client{AETitle: "A", Peer: peer, TLS: c.cfg, Limits: limits}).Echo(t.Context()); (err == nil) != c.ok {
			t.Errorf("echo %s: %v", c.name, err)
		}
		scheme := "https://"
		if c.cfg == nil {
			scheme = "http://"
		}
		page := &http.Client{Transport: &http.Transport{TLSClientConfig: c.cfg}, Timeout: 5 * time.Second}
		r, err := page.Get(scheme + v.http + "/healthz")
		if err == nil {
			r.Body.Close()
		}
		if ok := err == nil && r.StatusCode == http.StatusOK; ok != c.ok {
			t.Errorf("page %s: %v", c.name, err)
		}
	}
}
