// Package web is the web UI: pages built by Vite into dist, and how a browser gets them. The sources are TypeScript and Svelte, in src.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
)

// dist is what `make build` makes of the sources. A checkout without it has an empty one: the api then serves a page that says so.
//
//go:embed all:dist
var dist embed.FS

// Pages are the routes that the UI answers itself, in src/App.svelte: all of them are index.html.
func Pages() []string {
	return []string{"/", "/explore", "/trace/*", "/services", "/services/*", "/alerts", "/alerts/*", "/rules", "/rules/*", "/system"}
}

// Files are the routes of scripts, styles and pictures.
func Files() []string { return []string{"/assets/*", "/favicon.svg"} }

const (
	index = "/index.html"
	// noncePlace is where Vite leaves room for the nonce of a page (html.cspNonce).
	noncePlace = "%NONCE%"
	// policy lets a page load and run what this host serves, and nothing else. The nonce is for CodeMirror, which makes its styles itself.
	policy = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// unbuilt is shown by an api that was built without the UI.
	unbuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Logmill</title><p>This api was built without its web pages: <code>make build</code> makes them. The API is there: <a href="/api/openapi.json">/api/openapi.json</a>.`
)

type file struct {
	plain, gzipped []byte
	kind, etag     string
}

// Site is the files of the UI, in memory.
type Site struct{ files map[string]file }

// New reads the files that are built into the program, and compresses them once.
func New() (*Site, error) { return newSite(dist) }

func newSite(files fs.FS) (*Site, error) {
	s := &Site{files: map[string]file{}}
	err := fs.WalkDir(files, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".gitkeep" {
			return err
		}
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		s.files[strings.TrimPrefix(name, "dist")], err = newFile(name, raw)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the web pages: %w", err)
	}
	if _, ok := s.files[index]; !ok {
		if s.files[index], err = newFile(index, []byte(unbuilt)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func newFile(name string, raw []byte) (file, error) {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return file{}, fmt.Errorf("compressing %s: %w", name, err)
	}
	sum := sha256.Sum256(raw)
	return file{plain: raw, gzipped: z.Bytes(), kind: mime.TypeByExtension(path.Ext(name)), etag: `"` + hex.EncodeToString(sum[:8]) + `"`}, nil
}

// Serve answers a page or a file; 404 for a file that this version does not have.
func (s *Site) Serve(c echo.Context) error {
	name := c.Request().URL.Path
	if !strings.HasPrefix(name, "/assets/") && name != "/favicon.svg" {
		return s.page(c)
	}
	f, ok := s.files[name]
	if !ok {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set("ETag", f.etag)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "private, max-age=3600")
	if strings.HasPrefix(name, "/assets/") { // their names change with what they hold
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if c.Request().Header.Get("If-None-Match") == f.etag {
		return c.NoContent(http.StatusNotModified)
	}
	if strings.Contains(c.Request().Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		return c.Blob(http.StatusOK, f.kind, f.gzipped)
	}
	return c.Blob(http.StatusOK, f.kind, f.plain)
}

// page answers index.html, with a nonce of its own.
func (s *Site) page(c echo.Context) error {
	nonce := rand.Text()
	c.Response().Header().Set("Content-Security-Policy", fmt.Sprintf(policy, nonce))
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	return c.HTMLBlob(http.StatusOK, bytes.ReplaceAll(s.files[index].plain, []byte(noncePlace), []byte(nonce)))
}
