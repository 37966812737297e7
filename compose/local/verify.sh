#!/usr/bin/env bash
# What must hold of every commit besides its tests. Called by `make verify`.
#   usage: verify.sh GOLANGCI_VERSION MODULE…
set -uo pipefail
cd "$(dirname "$0")/../.."
golangci=$1; shift
rc=0
step() { local name=$1; shift; if out=$("$@" 2>&1); then echo "ok    $name"; else rc=1; echo "FAIL  $name"; printf '%s\n' "$out" | head -60; fi; }

formatted() { local f; f=$(gofmt -l $(git ls-files '*.go')); [ -z "$f" ] || { echo "not formatted (make fmt):"; echo "$f"; return 1; }; }
tidy() { ( cd "$1" && GOWORK=off GOFLAGS=-mod=mod go mod tidy -diff ); }
alone() { ( cd "$1" && GOWORK=off go build ./... ); }
lint() {
  local bin=.local/tools/golangci-lint-$golangci
  if [ ! -x "$bin" ]; then
    mkdir -p .local/tools
    GOWORK=off GOBIN=$PWD/.local/tools/tmp go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci" && mv .local/tools/tmp/golangci-lint "$bin" || return 1
  fi
  "$bin" run $(printf '%s/... ' "$@")
}
paths() { # every path that the documents name exists
  local d p bad=0
  for d in README.md ARCHITECTURE.md CONTRIBUTING.md docs/*.md; do
    for p in $(grep -oE '`(services|shared|migrations|compose|dashboards|docs)/[A-Za-z0-9_./-]+`' "$d" | tr -d '`' | sort -u); do
      [ -e "$p" ] || { echo "$d names $p, which is not there"; bad=1; }
    done
  done
  return $bad
}
private() { # no path of one machine, no tool that only its owner has
  ! git grep -nE '(^|[^A-Za-z0-9_.])/(root|home)/[a-z]' -- '*.go' '*.md' '*.yml' '*.yaml' Makefile
}
web() ( # types from the OpenAPI document, format, lint, types, tests, size
  make --no-print-directory web && cd services/api/web || return 1
  npm run --silent gen && npm run --silent lint && npm run --silent check && npm test --silent
)
clean() { [ -z "$(git status --porcelain)" ] || { git status --short; return 1; }; }

step "format" formatted
step "vet" go vet work
for m in "$@"; do step "go.mod of $m is tidy" tidy "$m"; step "$m builds alone" alone "$m"; done
step "lint" lint "$@"
step "web UI" web
step "documents name what is there" paths
step "no private paths" private
[ -z "${CI:-}" ] || step "clean tree" clean
exit $rc
