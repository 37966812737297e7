package windows

import "time"

// Limits of what is kept and how it is followed.
const (
	second = 10 // s: the width of a row
	minute = 60 // s: the width of what is kept
	hour   = 3600

	// fineFor is how far back windows of 10 s are kept, for steps below a minute.
	fineFor = 2 * 3600

	// refreshEvery is how often Run looks for changes: processors write the windows of a partition every two to ten seconds.
	refreshEvery   = 500 * time.Millisecond
	refreshTimeout = 30 * time.Second

	// staleAfter is the age of a set that a query still takes.
	staleAfter = time.Second

	// startOver is how long a set may go without a look at MySQL: touched minutes are remembered there for a day.
	startOver = 12 * time.Hour

	// loadAtOnce is how much history one round of the first load reads, a partition, s; hoursAtOnce of hours.
	loadAtOnce  = 3600
	hoursAtOnce = 7 * 24 * 3600

	// fewTexts of errors are kept whether they are in use or not.
	fewTexts = 100_000

	// touchedAtOnce is how many spans of minutes one round reads again; more are an import, and the partition is loaded anew, piece by piece.
	touchedAtOnce = 500
)
