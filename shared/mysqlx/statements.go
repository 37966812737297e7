package mysqlx

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
)

// maxStatements of a connection stay prepared. A service's own are fewer; the server's limit is 16,382 over all connections by default.
const maxStatements = 32

// keeping makes connections that keep statements prepared. To database/sql a statement with arguments is prepared, run once and closed:
// three round trips, and MySQL prepares it a second time when the first arguments are of other types than it had guessed. That was a third of
// all that the server was asked while lines came in.
type keeping struct{ driver.Connector }

func (k keeping) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	s, ok := conn.(session)
	if !ok {
		return nil, fmt.Errorf("a connection that lacks what database/sql may ask of it: %T", conn)
	}
	return &keeper{session: s}, nil
}

// session is all that database/sql looks for in a connection: what is not forwarded would be missed without a word.
type session interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keeper is a connection with its statements that are prepared and not in use, the one used last at the end.
type keeper struct {
	session
	idle []*kept
}

// PrepareContext takes an idle statement, or prepares one. A statement is in one caller's hands at a time.
func (k *keeper) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	for i := len(k.idle) - 1; i >= 0; i-- {
		if s := k.idle[i]; s.query == query {
			k.idle = slices.Delete(k.idle, i, i+1)
			return s, nil
		}
	}
	stmt, err := k.session.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := stmt.(statement)
	if !ok {
		return nil, fmt.Errorf("a statement that lacks what database/sql may ask of it: %T", stmt)
	}
	return &kept{statement: s, query: query, conn: k}, nil
}

// Prepare is not called where there is PrepareContext.
func (k *keeper) Prepare(query string) (driver.Stmt, error) {
	return k.PrepareContext(context.Background(), query)
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

// kept is a statement that closing leaves prepared, unless it has failed: the server may not know it any more.
type kept struct {
	statement
	query  string
	conn   *keeper
	failed bool
}

func (s *kept) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.statement.ExecContext(ctx, args)
	s.failed = s.failed || err != nil
	return r, err
}

func (s *kept) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	r, err := s.statement.QueryContext(ctx, args)
	s.failed = s.failed || err != nil
	return r, err
}

func (s *kept) Close() error {
	if s.failed {
		return s.statement.Close()
	}
	k := s.conn
	k.idle = append(k.idle, s)
	if len(k.idle) <= maxStatements {
		return nil
	}
	oldest := k.idle[0]
	k.idle = slices.Delete(k.idle, 0, 1)
	return oldest.statement.Close()
}
