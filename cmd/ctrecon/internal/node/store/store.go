package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// schema is the version of what is stored.
const schema = 1

// Store is an open node.db. One process has it open at a time.
type Store struct{ db *bolt.DB }

// Tx is a transaction.
type Tx struct{ tx *bolt.Tx }

// Open opens or makes node.db in dir, and fails when another process has it open.
func Open(dir string) (*Store, error) {
	path := filepath.Join(dir, "node.db")
	db, err := bolt.Open(path, 0o640, &bolt.Options{Timeout: time.Second})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("%s: another ctrecon serve uses this data folder", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &Store{db}
	if err := s.prepare(path); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes the tables and checks the schema.
func (s *Store) prepare(path string) error {
	return s.Update(func(tx *Tx) error {
		for _, name := range tables {
			if _, err := tx.tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		v, ok, err := numbers.Get(tx, "schema")
		if err != nil {
			return err
		}
		if ok && *v != schema {
			return fmt.Errorf("%s: schema %d, this program reads %d; it was written by another version", path, *v, schema)
		}
		return numbers.Put(tx, "schema", ptr[int64](schema))
	})
}

func ptr[T any](v T) *T { return &v }

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Update runs f in a transaction that is on disk when Update returns without an error.
func (s *Store) Update(f func(tx *Tx) error) error {
	return s.db.Update(func(tx *bolt.Tx) error { return f(&Tx{tx}) })
}

// View runs f in a transaction that changes nothing.
func (s *Store) View(f func(tx *Tx) error) error {
	return s.db.View(func(tx *bolt.Tx) error { return f(&Tx{tx}) })
}

// Table holds values of one kind by key.
type Table[T any] string

// Get gives a copy of the value of key.
func (t Table[T]) Get(tx *Tx, key string) (*T, bool, error) {
	b := tx.tx.Bucket([]byte(t)).Get([]byte(key))
	if b == nil {
		return nil, false, nil
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, false, fmt.Errorf("node.db: %s %s: %w", string(t), key, err)
	}
	return v, true, nil
}

// Put stores a value.
func (t Table[T]) Put(tx *Tx, key string, v *T) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.tx.Bucket([]byte(t)).Put([]byte(key), b)
}

// Delete removes a key, which need not be there.
func (t Table[T]) Delete(tx *Tx, key string) error {
	return tx.tx.Bucket([]byte(t)).Delete([]byte(key))
}

// Len is the number of values.
func (t Table[T]) Len(tx *Tx) int { return tx.tx.Bucket([]byte(t)).Stats().KeyN }

// Each calls f with the values whose keys begin with prefix, in the order of keys, until f
// returns false or an error. f must not change the table.
func (t Table[T]) Each(tx *Tx, prefix string, f func(key string, v *T) (more bool, err error)) error {
	c := tx.tx.Bucket([]byte(t)).Cursor()
	for k, b := c.Seek([]byte(prefix)); k != nil && len(k) >= len(prefix) && string(k[:len(prefix)]) == prefix; k, b = c.Next() {
		v := new(T)
		if err := json.Unmarshal(b, v); err != nil {
			return fmt.Errorf("node.db: %s %s: %w", string(t), k, err)
		}
		if more, err := f(string(k), v); err != nil || !more {
			return err
		}
	}
	return nil
}

// Seek is the first key that is not before from, "" when there is none.
func (t Table[T]) Seek(tx *Tx, from string) string {
	k, _ := tx.tx.Bucket([]byte(t)).Cursor().Seek([]byte(from))
	return string(k)
}
