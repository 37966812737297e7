# Logmill. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .local/bin
MODULES := migrations shared services/collector services/processor services/alert-evaluator services/api compose/local compose/e2e
# cgo, and a cold race build of it takes minutes: tested without the race detector
CGO_MODULES := services/collector
GOLANGCI := v2.15.0
-include .env
export

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | awk -F'\t' '{printf "  %-22s %s\n", $$1, $$2}'

build: tools-go web ## build all programs into .local/bin, the web UI inside
	@mkdir -p $(BIN)
	go build -o $(BIN)/ ./migrations/cmd/migrate ./services/collector/cmd/collector ./services/collector/cmd/loggen ./services/processor/cmd/processor \
	  ./services/alert-evaluator/cmd/alert-evaluator ./services/api/cmd/api ./services/api/cmd/logmillctl ./compose/local/cmd/logmill-local ./compose/local/cmd/logmill-broker \
	  ./compose/e2e/cmd/alerts-consumer

WEB := services/api/web
web: $(WEB)/dist/index.html ## build the web UI, which the api has inside

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo 'Logmill needs Node 20.19 or newer: https://nodejs.org'; exit 1; }
	cd $(WEB) && npm ci --no-progress --loglevel error
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB)/index.html $(WEB)/vite.config.ts $(shell find $(WEB)/src $(WEB)/public -type f)
	cd $(WEB) && npx vite build --logLevel warn

tools-go:
	@command -v go >/dev/null || { echo 'Logmill needs Go 1.26: https://go.dev/dl'; exit 1; }
	@command -v cc >/dev/null || { echo 'Logmill needs a C compiler (the collector'"'"'s Kafka client is C): apt-get install gcc libc6-dev'; exit 1; }

run: build ## run the whole pipeline here: broker, MySQL, services, generated traffic; Ctrl-C stops it
	@exec $(BIN)/logmill-local

stop: ## stop what `make run` started
	@[ ! -x $(BIN)/logmill-local ] || $(BIN)/logmill-local stop

test: build ## run every test, on a real MySQL and a real Kafka (started here), and the system tests
	@bash compose/local/test.sh

test-unit: ## run the tests of one module: make test-unit M=shared
	cd $(M) && go test ./...

test-chaos: build ## kill -9 everything under load and count lines after it; KILLS=30 SEED=1
	cd compose/e2e && KILLS=$${KILLS:-30} go test -count=1 -timeout 60m -v -run TestChaos ./...

test-chaos-mutants: build ## show that the count can fail: a processor without fence, one that forgets producers and requests, one that publishes before it commits; and that nothing is found in the product
	cd compose/e2e && MUTANTS=1 go test -count=1 -timeout 30m -v -run TestMutants ./...

test-alerts: build ## one calm evaluator, three that are killed, and a backtest give the same alerts over an hour of logs; KILLS=50 MINUTES=60 SEED=1
	cd compose/e2e && KILLS=$${KILLS:-50} MINUTES=$${MINUTES:-60} go test -count=1 -timeout 90m -v -run TestSameAlertsAlways ./...

test-alerts-mutants: build ## show that the comparison can fail: evaluators without fence, with an unfenced relay, that take the sender's time
	cd compose/e2e && MUTANTS=1 go test -count=1 -timeout 60m -v -run TestMutantsOfAlerts ./...

test-search: ## ask 100,000 random queries and compare with a naive scan
	cd services/api && SEARCH_ROUNDS=$${SEARCH_ROUNDS:-1000} go test -count=1 -timeout 60m ./internal/scan ./internal/search

test-week: build ## a week of logs through compaction and retention in LENGTH=600 seconds, with searches that are compared; DAYS=7 SEED=1
	cd compose/e2e && DAYS=$${DAYS:-7} LENGTH=$${LENGTH:-600} BATCH=$${BATCH:-60} go test -count=1 -timeout 60m -v -run TestWeek ./...

test-outage: build ## MySQL away for OUTAGE=120 seconds under load, then the broker
	cd compose/e2e && OUTAGE=$${OUTAGE:-120} go test -count=1 -timeout 30m -v -run TestOutage ./...

fuzz: ## run every fuzz target for FUZZTIME=30s
	@for m in shared/logrec shared/contract shared/block shared/block/vector services/api/internal/query services/api/internal/scan services/api/internal/ctl/yamldoc services/api/internal/ctl/rulefile services/api/internal/ctl/ruletest services/processor/internal/enrich services/processor/internal/dedup; do \
	  for f in $$(cd $$m && go test -list '^Fuzz' . | grep ^Fuzz); do (cd $$m && go test -run XXX -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-30s} .) || exit 1; done; done

verify: ## format, vet, lint, tidy, builds of each module alone, clean tree
	@bash compose/local/verify.sh $(GOLANGCI) $(MODULES)

bench: build ## measure the whole pipeline, merging included: lines/s, CPU, bytes, memory; LINES=1000000
	cd compose/e2e && go run ./cmd/bench

bench-search: build ## measure searches, cold and warm, against their targets; LINES=1000000, REUSE=1 asks the last corpus again
	cd compose/e2e && go run ./cmd/bench-search

bench-alerts: build ## measure from a line's acknowledgement to its alert on alerts.fired, and 10,000 rules: table and JSON; PROBES=500 RATES="10000 50000" RULES=10000 LINES=1000000 NODES=1
	cd compose/e2e && go test -count=1 -timeout 60m -run XXX -bench 'BenchmarkAlerts$$' -benchtime 1x .

bench-crowd: build ## measure 20 people's mixed queries, alerts and memory while lines come in; CLIENTS=20 RATE=20000
	cd compose/e2e && go test -count=1 -timeout 30m -run XXX -bench 'BenchmarkCrowd$$' -benchtime 1x .

bench-web: build ## measure the web UI: frames while scrolling 100,000 rows and while tailing 1,000 lines/s, memory after an hour of it
	cd compose/e2e && PERF=1 BROWSER=perf.spec go test -count=1 -timeout 30m -v -run 'TestBrowser$$' .

migrate: tools-go ## bring the schema of MYSQL_HOST to this version
	go run ./migrations/cmd/migrate up

migrate-status: tools-go ## list migrations and when they were applied
	go run ./migrations/cmd/migrate status

seed: build ## send 10,000 lines of realistic traffic to the running collector
	$(BIN)/loggen --url http://127.0.0.1:$${COLLECTOR_PORT:-4318}/api/logs --lines 10000

incident: build ## make something go wrong in the running demo: NAME=outage; without NAME, what there is
	@$(BIN)/loggen --steer $${LOGMILL_HOME:-.local}/incident --incident "$(NAME)"

run-collector: build ## run the collector alone, with the environment's servers
	$(BIN)/collector

run-processor: build ## run the processor alone
	$(BIN)/processor

run-alert-evaluator: build ## run the alert-evaluator alone
	$(BIN)/alert-evaluator

run-api: build ## run the api alone
	$(BIN)/api

docker-up: ## start Kafka, ZooKeeper, MySQL and Kafka UI in Docker (compose/docker)
	docker compose -f compose/docker/docker-compose.yml up -d --wait

docker-logs: ## follow the logs of the servers in Docker
	docker compose -f compose/docker/docker-compose.yml logs -f --tail 100

docker-down: ## stop them; the volumes stay
	docker compose -f compose/docker/docker-compose.yml down

fmt: ## format all code
	gofmt -w $$(git ls-files '*.go')
	cd $(WEB) && npm run --silent fmt

clean: stop ## remove binaries; data in .local stay
	rm -rf $(BIN)

.PHONY: help build web tools-go run stop test test-unit test-chaos test-chaos-mutants test-alerts test-search test-week test-outage fuzz verify bench bench-search migrate migrate-status seed incident run-collector run-processor run-alert-evaluator run-api docker-up docker-logs docker-down fmt clean test-alerts-mutants bench-alerts bench-crowd bench-web
