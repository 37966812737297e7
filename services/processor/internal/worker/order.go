//go:build !mutant_publishfirst

package worker

// publishFirst turns commit and publish round. It is only true in a build with the tag mutant_publishfirst, which proves that
// the chaos check notices.
const publishFirst = false
