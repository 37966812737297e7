package search

const (
	// slotsPerCPU: blocks in work, by all queries. More than one, because some of them wait for MySQL.
	slotsPerCPU = 2

	// filterBatch is how many filters beyond the memory budget are read at once.
	filterBatch = 256

	// maxDamaged blocks are named in an answer.
	maxDamaged = 10

	// layoutBytes and columnBytes are about what a footer takes in memory.
	layoutBytes = 512
	columnBytes = 200

	// rowBytes is about what a record takes in memory besides its texts.
	rowBytes = 400

	// hardTimes the time limit, a query is ended whatever it is doing: a single block that takes so long is an error.
	hardTimes = 4
)
