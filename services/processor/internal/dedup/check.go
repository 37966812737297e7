//go:build !mutant_repeats

package dedup

// checked is only false in a build with the tag mutant_repeats, which proves that the chaos check notices.
const checked = true
