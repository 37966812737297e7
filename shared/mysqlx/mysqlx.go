// Package mysqlx opens MySQL the way Logmill uses it: a few pools, short transactions, one clock.
package mysqlx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/logmill/logmill/shared/config"
)

// Limits of a pool. A service has a worker a partition and little else; MySQL's default of 151 connections must do for all services.
const (
	maxConns    = 12
	maxIdle     = 8
	maxLifetime = 30 * time.Minute // so that a failover or a load balancer is noticed in the end
	maxUnused   = 15 * time.Second // well below waitTimeout: the server must not end what the pool still means to use
	dialTimeout = 5 * time.Second
	ioTimeout   = 60 * time.Second // one read or write; a statement's own limit is its context
)

// waitTimeout is after how long without a statement the server ends a connection, s. A process that was stopped in the middle of a
// transaction keeps its row locks until then (8 h by default), and whoever takes its partition over waits for them.
const waitTimeout = "30"

// DB is a MySQL database through its pools; they connect when they are first used.
type DB struct {
	Text *sql.DB // utf8mb4
	Rows *sql.DB // utf8mb4; the driver writes arguments into the statement: one round trip, nothing to prepare, for statements that differ in length each time. []byte is for blobs only
	Blob *sql.DB // collation=binary: blobs pass unescaped, at half of mysqld's CPU; texts in it are bytes and must be valid UTF-8
}

// Open prepares the pools. It does not connect: a server that is away is an error of the first statement.
func Open(cfg config.MySQL) (*DB, error) {
	text, err := open(cfg, textCollation, false)
	if err != nil {
		return nil, err
	}
	rows, err := open(cfg, textCollation, true)
	if err != nil {
		return nil, errors.Join(err, text.Close())
	}
	blob, err := open(cfg, "binary", false)
	if err != nil {
		return nil, errors.Join(err, text.Close(), rows.Close())
	}
	return &DB{Text: text, Rows: rows, Blob: blob}, nil
}

const textCollation = "utf8mb4_unicode_ci"

// Close closes all pools.
func (d *DB) Close() error { return errors.Join(d.Text.Close(), d.Rows.Close(), d.Blob.Close()) }

// Ping asks the server whether it is there.
func (d *DB) Ping(ctx context.Context) error { return d.Text.PingContext(ctx) }

// DSN is the driver's configuration for cfg; tools that need a connection of their own start from it.
func DSN(cfg config.MySQL, collation string) *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", cfg.Addr()
	c.User, c.Passwd, c.DBName = cfg.User, cfg.Password.Reveal(), cfg.Database
	c.Collation, c.ParseTime, c.Loc = collation, true, time.UTC
	c.Timeout, c.ReadTimeout, c.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	c.MaxAllowedPacket = 0 // the server's own limit
	c.RejectReadOnly = true
	c.Logger = silent{} // every error comes back to the caller as well
	c.Params = map[string]string{"time_zone": "'+00:00'", "wait_timeout": waitTimeout}
	return c
}

type silent struct{}

func (silent) Print(...any) {}

func open(cfg config.MySQL, collation string, interpolate bool) (*sql.DB, error) {
	dsn := DSN(cfg, collation)
	dsn.InterpolateParams = interpolate
	var err error
	if dsn.TLS, err = cfg.TLSConfig(); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the MySQL settings: %w", err)
	}
	db := sql.OpenDB(keeping{connector})
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxIdle)
	db.SetConnMaxLifetime(maxLifetime)
	db.SetConnMaxIdleTime(maxUnused)
	return db, nil
}

// WithTx runs f in a transaction and returns the COMMIT's error. An error or a panic of f rolls back. After an error for which
// Unanswered is true the transaction may or may not have happened.
func WithTx(ctx context.Context, pool *sql.DB, f func(*sql.Tx) error) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	returned := false
	defer func() {
		if !returned { // f panics: its locks must not live on in a connection of the pool
			_ = rollback(tx)
		}
	}()
	err = f(tx)
	returned = true
	if err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return &UnansweredError{err}
	}
	return nil
}

// rollback reports only what the caller does not know yet: a broken connection rolls back by itself.
func rollback(tx *sql.Tx) error {
	err := tx.Rollback()
	if err == nil || errors.Is(err, sql.ErrTxDone) || IsTransient(err) {
		return nil
	}
	return fmt.Errorf("rolling back: %w", err)
}

// UnansweredError is a COMMIT without a good answer: what it would have written may be there.
type UnansweredError struct{ Err error }

func (e *UnansweredError) Error() string { return "committing: " + e.Err.Error() }
func (e *UnansweredError) Unwrap() error { return e.Err }

// Unanswered tells whether err leaves open what was committed.
func Unanswered(err error) bool {
	var u *UnansweredError
	return errors.As(err, &u)
}

// ErrSchema is a database whose schema is not the one a program was built for.
var ErrSchema = errors.New("the schema is of another version")

// CheckSchema compares the migrations applied to the database with want, and says what to do when they differ.
func CheckSchema(ctx context.Context, pool *sql.DB, want int64) error {
	var have sql.NullInt64
	err := pool.QueryRowContext(ctx, "SELECT MAX(version_id) FROM goose_db_version WHERE is_applied = 1").Scan(&have)
	if isNoTable(err) {
		return fmt.Errorf("%w: none is applied, this program needs %d: run `make migrate` (migrate up)", ErrSchema, want)
	}
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	if have.Int64 < want {
		return fmt.Errorf("%w: %d is applied, this program needs %d: run `make migrate` (migrate up)", ErrSchema, have.Int64, want)
	}
	if have.Int64 > want {
		return fmt.Errorf("%w: %d is applied, this program knows %d: upgrade it, or run `migrate down-to %d`", ErrSchema, have.Int64, want, want)
	}
	return nil
}
