// Command migrate brings the schema of a Logmill database to the version this build needs.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/logmill/logmill/migrations"
)

const usage = `usage: migrate up              apply what is missing (creates the database when absent)
       migrate status          list all migrations
       migrate down-to N       undo everything above version N
       migrate version         the version this build needs
       migrate grants [HOST]   print the rights of each service's user (logmill_processor, logmill_alert_evaluator, logmill_api), for users that
                               connect from HOST (default %); the users must be there
The server is named by MYSQL_HOST MYSQL_PORT MYSQL_USER MYSQL_PASSWORD MYSQL_DATABASE.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("bad arguments\n" + usage)

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "version":
		fmt.Println(migrations.Version())
		return nil
	case (len(args) == 1 || len(args) == 2) && args[0] == "grants":
		return grants(append(args[1:], "%")[0])
	case len(args) == 1 && args[0] == "up":
		return with(ctx, true, func(db *sql.DB) error { return report("applied")(migrations.Up(ctx, db)) })
	case len(args) == 1 && args[0] == "status":
		return with(ctx, false, func(db *sql.DB) error { return status(migrations.Status(ctx, db)) })
	case len(args) == 2 && args[0] == "down-to":
		v, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil || v < 0 {
			return fmt.Errorf("%q is not a version", args[1])
		}
		return with(ctx, false, func(db *sql.DB) error { return report("undone")(migrations.DownTo(ctx, db, v)) })
	}
	return errUsage
}

func report(verb string) func([]migrations.Applied, error) error {
	return func(done []migrations.Applied, err error) error {
		for _, m := range done {
			fmt.Printf("%s %s\n", verb, m.Name)
		}
		if err == nil && len(done) == 0 {
			fmt.Println("nothing to do")
		}
		return err
	}
}

func status(all []migrations.Applied, err error) error {
	for _, m := range all {
		at := "not applied"
		if !m.At.IsZero() {
			at = "applied " + m.At.UTC().Format(time.RFC3339)
		}
		fmt.Printf("%-32s %s\n", m.Name, at)
	}
	return err
}

// with opens the database named by the environment, creating it when asked to.
func with(ctx context.Context, create bool, f func(*sql.DB) error) (err error) {
	cfg, err := settings()
	if err != nil {
		return err
	}
	if create {
		if err := createDatabase(ctx, cfg); err != nil {
			return err
		}
	}
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		return fmt.Errorf("reading the MySQL settings: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return f(db)
}

func settings() (*mysql.Config, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", get("MYSQL_HOST", "127.0.0.1")+":"+get("MYSQL_PORT", "13306")
	c.User, c.Passwd, c.DBName = get("MYSQL_USER", "root"), os.Getenv("MYSQL_PASSWORD"), get("MYSQL_DATABASE", "logmill")
	c.ParseTime, c.Timeout = true, 10*time.Second
	var err error
	if c.TLS, err = serverTLS(); err != nil {
		return nil, err
	}
	if strings.ContainsAny(c.DBName, "`/\\. ") {
		return nil, fmt.Errorf("MYSQL_DATABASE=%q is not a plain name", c.DBName)
	}
	return c, nil
}

// grants prints statements; whoever may run them decides.
func grants(host string) error {
	cfg, err := settings()
	if err != nil {
		return err
	}
	if !hostPattern.MatchString(host) {
		return fmt.Errorf("%q is not a host as MySQL names them (%%, 10.0.0.%%, db-client.example)", host)
	}
	for _, g := range migrations.Grants(cfg.DBName, host) {
		fmt.Println(g + ";")
	}
	return nil
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.:%_-]{1,255}$`)

// serverTLS is how to connect with TLS, as the services read the same variables; nil for without.
func serverTLS() (*tls.Config, error) {
	on, err := strconv.ParseBool(get("MYSQL_TLS", "false"))
	if err != nil || !on {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: get("MYSQL_HOST", "127.0.0.1")}
	if path := os.Getenv("MYSQL_TLS_CA_FILE"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading MYSQL_TLS_CA_FILE: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("MYSQL_TLS_CA_FILE=%s holds no certificate in PEM", path)
		}
	}
	return c, nil
}

func get(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func createDatabase(ctx context.Context, cfg *mysql.Config) (err error) {
	server := cfg.Clone()
	server.DBName = ""
	db, err := sql.Open("mysql", server.FormatDSN())
	if err != nil {
		return fmt.Errorf("reading the MySQL settings: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// The name is checked in settings; MySQL takes no parameter here.
	_, err = db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS `"+cfg.DBName+"` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	if err != nil {
		return fmt.Errorf("creating the database %s: %w", cfg.DBName, err)
	}
	return nil
}
