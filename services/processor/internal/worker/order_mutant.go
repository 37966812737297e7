//go:build mutant_publishfirst

package worker

const publishFirst = true
