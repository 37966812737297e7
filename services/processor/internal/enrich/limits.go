package enrich

// Limits of what is looked at in a text. They bound the cost of a line, not what is stored: the text itself is never changed.
const (
	// A level stands in the head of a line. Looking further finds words of the prose ("no ERROR was seen").
	levelSearchBytes = 160
	levelSearchWords = 10

	// Without a time in front, a level is believed only right at the start.
	bareLevelWords = 2

	// logfmt needs two pairs: "x=1 went wrong" is prose.
	logfmtMinPairs = 2

	// As many pairs of a text become attributes; more make block columns that nobody searches.
	maxPairs = 64

	// An attribute found in a text is cut to this size, in bytes; the whole is still in the message.
	maxValueBytes = 4 << 10

	// A longer JSON text in a message is left as text: parsing it would cost as much as a whole batch.
	maxJSONBytes = 256 << 10
)
