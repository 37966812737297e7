//go:build mutant_forgetful

package window

const forgetful = true
