#!/usr/bin/env bash
# Every test of every module, on real servers that are started here and stopped at the end. Called by `make test`.
# Without Java (Kafka) or a Debian-like apt (MySQL) some tests do not run and say so; with CI set that is a failure.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=compose/local
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
missing=""
up() { # NAME
  if bash $here/test-servers.sh up "$1" >"$out/env" 2>"$out/err"; then return 0; fi
  echo "DID NOT START: a real $1: $(tail -3 "$out/err")"; missing+=" $1"; return 1
}
echo "== starting a real MySQL and a real Kafka for the tests"
up mysql && export LOGMILL_TEST_MYSQL_HOST=127.0.0.1 LOGMILL_TEST_MYSQL_PORT=$(sed -n s/^MYSQL_PORT=//p "$out/env")
up kafka && export LOGMILL_TEST_KAFKA=$(sed -n s/^KAFKA_BROKERS=//p "$out/env")

export E2E_LOGS=${E2E_LOGS:-$PWD/.local/failed} # the whole logs of a system test that failed
failed=""
run() { # MODULE FLAGS…
  local m=$1; shift
  echo "== $m ($*)"
  ( cd "$m" && go test "$@" ./... 2>&1 ) | tee -a "$out/log" || failed+=" $m"
}
for m in migrations shared services/processor services/alert-evaluator services/api compose/local; do run $m -race -timeout 15m; done
run services/alert-evaluator/internal/relay -timeout 5m   # sarama races with itself when a producer is fenced
run services/collector -timeout 15m   # cgo: a cold race build of the Kafka client alone takes minutes
run compose/e2e -timeout 60m -v   # about twenty minutes on two cores; a time limit is for what hangs
bash $here/test-servers.sh down

packages_ok=$(grep -cE '^ok ' "$out/log"); packages_bad=$(grep -cE '^(FAIL\s+\S|--- FAIL)' "$out/log")
grep -hE 'DID NOT RUN' "$out/log" | sort | uniq -c
[ -z "$missing" ] || echo "NOT TESTED on real servers:$missing"
if [ -n "${CI:-}" ] && { [ -n "$missing" ]; }; then failed+=" servers"; fi
[ -z "$failed" ] || { echo "FAILED:$failed"; grep -E '^(--- FAIL|FAIL)' "$out/log" | sort -u | head -30; [ "$packages_bad" -gt 0 ] || packages_bad=1; }
echo "$packages_ok passed, $packages_bad failed"
[ -z "$failed" ]
