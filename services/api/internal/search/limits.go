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

	// MaxPoints of one group over time: more than any screen shows.
	MaxPoints = 2000

	// tableBytes is what the tables of one statistic may take in each worker: a hundred thousand groups, or 200 services with a thousand steps
	// and three figures.
	tableBytes = 64 << 20

	// maxSummers sum up at the same time for one statistic, each into tables of its own.
	maxSummers = 8

	// partRows a processor are summed up at a time: a statistic is whole for the part of the range that it covers, so this is how much of its
	// work can be in vain, and how far it runs past its time.
	partRows = 1 << 20

	// summaryShare: of the cache, one part in so many is for summaries: about 1.5 bytes a line.
	summaryShare = 8

	// rowsAPart of a column whose words are known apart: a rare word has all but a sixteenth of a large block passed over. With half as many
	// filters take 3.1 bytes a line, with twice as many 2.8; this is 2.9, of a column of 100.
	rowsAPart = 1 << 12

	// maxPartings are waited for: more than the blocks that a query of a few million lines reads.
	maxPartings = 256

	// settledAfter the end of a minute its windows are taken: they are written two seconds after the blocks.
	settledAfter = int64(60e9)

	// fewRows are read from blocks, to the line; more, and windows answer, while their blocks are not summed up in memory yet.
	fewRows = 1 << 20
)
