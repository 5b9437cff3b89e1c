package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"

	"facerecd/daemon/config"
)

// workFactor is the cost of a guess at a passphrase: 64 MiB of memory and a
// quarter of a second on a desktop. age's own takes 256 MiB, which a Raspberry Pi
// with the models loaded does not have.
const workFactor = 16

// lock encrypts backups with age (age-encryption.org/v1); nil does not.
type lock struct{ recipients []age.Recipient }

// newLock is the lock that flags describe, nil for none.
func newLock(passphraseFile string, recipients []string) (*lock, error) {
	switch {
	case passphraseFile == "" && len(recipients) == 0:
		return nil, nil
	case passphraseFile != "" && len(recipients) > 0:
		return nil, errors.New("choose between --passphrase-file and --recipient: age knows no mixture")
	case passphraseFile != "":
		passphrase, err := config.ReadSecret(passphraseFile)
		if err != nil {
			return nil, err
		}
		r, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			return nil, fmt.Errorf("use passphrase: %w", err)
		}
		r.SetWorkFactor(workFactor)
		return &lock{[]age.Recipient{r}}, nil
	}
	all, err := age.ParseRecipients(strings.NewReader(strings.Join(recipients, "\n")))
	if err != nil {
		return nil, fmt.Errorf("read --recipient (age-keygen makes one): %w", err)
	}
	return &lock{all}, nil
}

// seal returns what is to be written to, and closed.
func (l *lock) seal(w io.Writer) (io.WriteCloser, error) {
	if l == nil {
		return unsealed{w}, nil
	}
	sealed, err := age.Encrypt(w, l.recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return sealed, nil
}

type unsealed struct{ io.Writer }

func (unsealed) Close() error { return nil }

// key opens what a lock has sealed; nil opens what none has.
type key struct{ identities []age.Identity }

// newKey is the key that flags describe, nil for none.
func newKey(passphraseFile, identityFile string) (*key, error) {
	switch {
	case passphraseFile == "" && identityFile == "":
		return nil, nil
	case passphraseFile != "" && identityFile != "":
		return nil, errors.New("choose between --passphrase-file and --identity")
	case passphraseFile != "":
		passphrase, err := config.ReadSecret(passphraseFile)
		if err != nil {
			return nil, err
		}
		id, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return nil, fmt.Errorf("use passphrase: %w", err)
		}
		return &key{[]age.Identity{id}}, nil
	}
	f, err := os.Open(identityFile)
	if err != nil {
		return nil, fmt.Errorf("open identity: %w", err)
	}
	defer f.Close()
	ids, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("read identity %s: %w", identityFile, err)
	}
	return &key{ids}, nil
}

func (k *key) open(r io.Reader) (io.Reader, error) {
	if k == nil {
		return r, nil
	}
	opened, err := age.Decrypt(r, k.identities...)
	if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
		return nil, errors.New("this is not the passphrase or identity that the backup was encrypted with")
	}
	if err != nil {
		return nil, fmt.Errorf("decrypt (is it an encrypted backup?): %w", err)
	}
	return opened, nil
}
