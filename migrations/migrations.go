// Package migrations is Logmill's schema in MySQL: numbered SQL files, applied by cmd/migrate. Services only check the version.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed sql/*.sql
var files embed.FS

// lockName is held (GET_LOCK) while migrations run, so that two runs never meet; it is per server, so the database is in it.
const lockName = "logmill_migrate_"

// lockWait is how long a run waits for another to end.
const lockWait = time.Minute

// ErrLocked is another run that does not end.
var ErrLocked = errors.New("another migration is running")

// Version is the newest version in this build: the one that services of this build need.
func Version() int64 {
	entries, err := fs.ReadDir(files, "sql")
	if err != nil {
		panic(err) // the files are compiled in
	}
	var newest int64
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		if v, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, v)
		}
	}
	return newest
}

// Applied is one migration and when it was applied; At is zero for one that is not.
type Applied struct {
	Version int64
	Name    string
	At      time.Time
}

// Up applies what is missing and returns it.
func Up(ctx context.Context, db *sql.DB) ([]Applied, error) {
	var done []Applied
	err := locked(ctx, db, func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		done = applied(results)
		return err
	})
	return done, err
}

// DownTo undoes everything above version and returns it.
func DownTo(ctx context.Context, db *sql.DB, version int64) ([]Applied, error) {
	var done []Applied
	err := locked(ctx, db, func(p *goose.Provider) error {
		results, err := p.DownTo(ctx, version)
		done = applied(results)
		return err
	})
	return done, err
}

// Status lists all migrations of this build.
func Status(ctx context.Context, db *sql.DB) ([]Applied, error) {
	p, err := provider(db)
	if err != nil {
		return nil, err
	}
	all, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the state of migrations: %w", err)
	}
	var out []Applied
	for _, s := range all {
		out = append(out, Applied{Version: s.Source.Version, Name: s.Source.Path, At: s.AppliedAt})
	}
	return out, nil
}

func applied(results []*goose.MigrationResult) []Applied {
	var out []Applied
	for _, r := range results {
		out = append(out, Applied{Version: r.Source.Version, Name: r.Source.Path, At: time.Now()})
	}
	return out
}

func provider(db *sql.DB) (*goose.Provider, error) {
	sub, err := fs.Sub(files, "sql")
	if err != nil {
		return nil, fmt.Errorf("opening the embedded migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectMySQL, db, sub)
	if err != nil {
		return nil, fmt.Errorf("reading the embedded migrations: %w", err)
	}
	return p, nil
}

// locked runs f while this server's lock for the database is held on a connection of its own.
func locked(ctx context.Context, db *sql.DB, f func(*goose.Provider) error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var got sql.NullInt64
	row := conn.QueryRowContext(ctx, "SELECT GET_LOCK(LEFT(CONCAT(?, DATABASE()), 64), ?)", lockName, int(lockWait.Seconds()))
	if err := row.Scan(&got); err != nil {
		return fmt.Errorf("taking the lock: %w", err)
	}
	if got.Int64 != 1 {
		return fmt.Errorf("%w: waited %s", ErrLocked, lockWait)
	}
	defer func() {
		_, rerr := conn.ExecContext(context.WithoutCancel(ctx), "SELECT RELEASE_LOCK(LEFT(CONCAT(?, DATABASE()), 64))", lockName)
		err = errors.Join(err, rerr)
	}()
	p, err := provider(db)
	if err != nil {
		return err
	}
	return f(p)
}
