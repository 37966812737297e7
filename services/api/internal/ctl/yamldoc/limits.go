package yamldoc

// Limits of a file. People write files of a few hundred lines; what is larger is a mistake or an attack.
const (
	MaxBytes    = 1 << 20  // of the file
	MaxDepth    = 32       // of nesting, aliases followed: an alias that contains itself ends here
	maxExpanded = 12 << 20 // bytes and nodes with every alias followed; a file without aliases always stays below
	nodeCost    = 16       // bytes that a node counts for besides its text
	MaxProblems = 100      // kept of a file
)
