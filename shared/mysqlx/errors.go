package mysqlx

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/go-sql-driver/mysql"
)

// Numbers of MySQL's errors that waiting or trying again can mend.
var transient = map[uint16]bool{
	1040: true,                                     // too many connections
	1053: true,                                     // server shutdown in progress
	1077: true,                                     // normal shutdown
	1105: true,                                     // unknown, as clusters say it
	1158: true, 1159: true, 1160: true, 1161: true, // packets lost
	1205: true, // lock wait time-out
	1213: true, // deadlock
	1290: true, // read-only (failover under way)
	1317: true, // query interrupted
	1412: true, // the table was altered since the transaction began
	1836: true, // read-only
	3168: true, // server being initialised
	3572: true, // lock not available at once
}

const (
	errNoTable    = 1146
	errNoDatabase = 1049
	errDuplicate  = 1062
	errAltered    = 1412
)

// IsTransient tells whether the same statement may well succeed later: the server is away, busy, failing over, or chose us
// as a deadlock's victim.
func IsTransient(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return transient[my.Number]
	}
	var op net.Error
	return errors.As(err, &op) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// IsDuplicate tells whether a unique key refused a row.
func IsDuplicate(err error) bool { return isNumber(err, errDuplicate) }

// IsAltered tells whether a table was altered since the transaction's snapshot was taken: begin again.
func IsAltered(err error) bool { return isNumber(err, errAltered) }

func isNoTable(err error) bool { return isNumber(err, errNoTable) || isNumber(err, errNoDatabase) }

func isNumber(err error, n uint16) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && my.Number == n
}
