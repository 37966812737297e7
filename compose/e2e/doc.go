// Package e2e tests the built programs together, as processes.
package e2e
