//go:build history

package app

import (
	"fmt"
	"os"
	"time"
)

// retiredFor is a minute, or LOGMILL_TEST_RETIRED, for those who live at ordinary speed.
func retiredFor() time.Duration {
	_, _, speed := testClock()
	ordinary := time.Minute
	if v := os.Getenv("LOGMILL_TEST_RETIRED"); v != "" {
		var err error
		if ordinary, err = time.ParseDuration(v); err != nil {
			panic(fmt.Sprintf("LOGMILL_TEST_RETIRED: %v", err))
		}
	}
	return time.Duration(speed) * ordinary
}

func testClock() (wall, event, speed int64) {
	if _, err := fmt.Sscan(os.Getenv("LOGMILL_TEST_CLOCK"), &wall, &event, &speed); err != nil {
		panic(fmt.Sprintf("LOGMILL_TEST_CLOCK: %v", err))
	}
	return wall, event, speed
}

// now, in a build with the tag history, goes through the past quickly, so that tests get an hour of blocks, heartbeats and lateness in
// minutes: LOGMILL_TEST_CLOCK="WALL EVENT SPEED" is EVENT (ns) when MySQL's clock says WALL (ns), and SPEED times as fast until it has
// caught up.
func (a *App) now() func() int64 {
	wall, event, speed := testClock()
	return func() int64 {
		now := a.clock.Now()
		return min(now, event+(now-wall)*speed)
	}
}
