package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Setting returns a value that SetSetting stored, and whether there is one. The
// caller owns it.
func (s *Store) Setting(key string) (value []byte, ok bool, err error) {
	err = s.view(func(txn *badger.Txn) error {
		value, ok, err = get(txn, []byte(settingPrefix+key))
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("read setting %s: %w", key, err)
	}
	return value, ok, nil
}

// SetSetting stores a value of at most MaxValue bytes under a key of at most 200.
func (s *Store) SetSetting(key string, value []byte) error {
	if len(key) > 200 || len(value) > MaxValue {
		return fmt.Errorf("%w setting %.200s: the key may have 200 bytes and the value %d", ErrInvalid, key, MaxValue)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.update(s.opts.MinFree, func(txn *badger.Txn) error {
		return txn.Set([]byte(settingPrefix+key), value)
	})
	if err != nil {
		return fmt.Errorf("store setting %s: %w", key, err)
	}
	return nil
}
