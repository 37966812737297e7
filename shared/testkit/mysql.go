package testkit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/mysqlx"
)

// EmptyMySQL is a real MySQL server (LOGMILL_TEST_MYSQL_HOST and _PORT, else one started for all tests) with a new
// database on it that is dropped after the test.
func EmptyMySQL(t testing.TB) config.MySQL {
	t.Helper()
	cfg := mysqlServer(t)
	cfg.Database = "test_" + unique(t)
	admin := cfg
	admin.Database = ""
	db := openPool(t, admin)
	execute(t, db, "CREATE DATABASE "+cfg.Database+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	t.Cleanup(func() {
		execute(t, db, "DROP DATABASE IF EXISTS "+cfg.Database)
		_ = db.Close()
	})
	return cfg
}

// MySQL is EmptyMySQL with the whole schema in it.
func MySQL(t testing.TB) config.MySQL {
	t.Helper()
	cfg := EmptyMySQL(t)
	db := openPool(t, cfg)
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := migrations.Up(ctx, db); err != nil {
		t.Fatalf("migrating %s: %v", cfg.Database, err)
	}
	return cfg
}

// DB opens both pools on cfg and closes them after the test.
func DB(t testing.TB, cfg config.MySQL) *mysqlx.DB {
	t.Helper()
	db, err := mysqlx.Open(cfg)
	if err != nil {
		t.Fatalf("opening MySQL: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mysqlServer(t testing.TB) config.MySQL {
	t.Helper()
	env := map[string]string{"MYSQL_HOST": os.Getenv("LOGMILL_TEST_MYSQL_HOST"), "MYSQL_PORT": os.Getenv("LOGMILL_TEST_MYSQL_PORT")}
	if env["MYSQL_HOST"] == "" {
		env = servers(t, "mysql")
	}
	port, err := strconv.Atoi(env["MYSQL_PORT"])
	if err != nil {
		t.Fatalf("reading the test server's port: %v", err)
	}
	return config.MySQL{Host: env["MYSQL_HOST"], Port: port, User: "root", Password: config.Secret(os.Getenv("LOGMILL_TEST_MYSQL_PASSWORD"))}
}

func openPool(t testing.TB, cfg config.MySQL) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", mysqlx.DSN(cfg, "utf8mb4_bin").FormatDSN())
	if err != nil {
		t.Fatalf("opening MySQL: %v", err)
	}
	return db
}

func execute(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

func unique(t testing.TB) string {
	t.Helper()
	b := make([]byte, 6)
	if _, err := rand.Read(b); err != nil {
		t.Fatalf("choosing a name: %v", err)
	}
	return hex.EncodeToString(b)
}
