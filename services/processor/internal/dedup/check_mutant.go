//go:build mutant_repeats

package dedup

const checked = false
