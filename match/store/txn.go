package store

import (
	"errors"
	"iter"

	"github.com/dgraph-io/badger/v4"
)

// get returns a copy of a value, and whether there is one.
func get(txn *badger.Txn, key []byte) ([]byte, bool, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, false, err
	}
	return value, true, nil
}

// keys goes through the items under a prefix in order, without their values.
// An item is valid until the next.
func keys(txn *badger.Txn, prefix string) iter.Seq[*badger.Item] {
	return scan(txn, badger.IteratorOptions{Prefix: []byte(prefix)}, []byte(prefix))
}

// values goes through the items under a prefix in order, from a key on.
func values(txn *badger.Txn, prefix string, from []byte) iter.Seq[*badger.Item] {
	return scan(txn, badger.IteratorOptions{Prefix: []byte(prefix), PrefetchValues: true, PrefetchSize: 16}, from)
}

// backwards goes through the items with sequence numbers, newest first.
func backwards(txn *badger.Txn, prefix string) iter.Seq[*badger.Item] {
	o := badger.IteratorOptions{Prefix: []byte(prefix), PrefetchValues: true, PrefetchSize: 16, Reverse: true}
	return scan(txn, o, sequenceKey(prefix, 1<<64-1))
}

func scan(txn *badger.Txn, o badger.IteratorOptions, from []byte) iter.Seq[*badger.Item] {
	return func(yield func(*badger.Item) bool) {
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Seek(from); it.Valid(); it.Next() {
			if !yield(it.Item()) {
				return
			}
		}
	}
}

// batch is how many keys a transaction of a series deletes or rewrites: far
// below Badger's limit of about 6000 for memTableSize.
const batch = 500

// inSeries writes items in order, up to batch of them in a transaction. They may be
// large: some that are too big for one are halved.
func inSeries[T any](items []T, write func(some []T) error) error {
	for len(items) > 0 {
		n := min(len(items), batch)
		err := write(items[:n])
		for n > 1 && errors.Is(err, badger.ErrTxnTooBig) {
			n /= 2
			err = write(items[:n])
		}
		if err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}
