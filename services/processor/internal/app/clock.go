//go:build !history

package app

// now is the clock of eval_time and watermarks: MySQL's.
func (a *App) now() func() int64 { return a.clock.Now }
