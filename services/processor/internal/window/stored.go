//go:build !mutant_forgetful

package window

// forgetful builds do not ask what MySQL has of a window: to prove that the chaos check notices.
const forgetful = false
