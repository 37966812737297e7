module github.com/logmill/logmill/compose/e2e

go 1.26

require (
	github.com/logmill/logmill/migrations v0.0.0
	github.com/logmill/logmill/shared v0.0.0
)

replace github.com/logmill/logmill/migrations => ../../migrations

replace github.com/logmill/logmill/shared => ../../shared
