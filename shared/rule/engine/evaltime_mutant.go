//go:build mutant_evaltime

package engine

const timeColumn = "timestamp"
