package window

// Sizes of windows, and limits that keep their rows and their memory bounded.
const (
	Seconds      = 10 // length of a log window
	ErrorSeconds = 60 // length of an error window
	HourSeconds  = 3600

	// Response times wait as they are, in order to be put into bins together; past this many they are at once.
	maxSamples = 1024

	// MaxCells asks for a flush before its time: an import that touches every window of a year must not fill the memory.
	MaxCells = 20_000

	// keepWrites is how many writes (2 s each) a window stays in memory after it last changed: records come out of order by a little.
	// Later ones load it again from MySQL.
	keepWrites = 30

	// maxTexts distinct masked error texts a minute and service, maxHourTexts an hour; the rest is counted as OtherText.
	maxTexts     = 50
	maxHourTexts = 100

	// maxText is the length of a masked text, in bytes; maxMasked is how much of a message is looked at.
	maxText   = 240
	maxMasked = 600
)

// OtherText stands for the error texts of a minute and service past the limit.
const OtherText = "(other)"
