package counts

const (
	version = 1

	codecPlain = 0
	codecZstd  = 1

	// Accuracy of bins, relative; maxBins of a row: beyond, the lowest become one.
	Accuracy = 0.01
	maxBins  = 2048

	// MaxRows and MaxTexts of one value: with names of 200 bytes, and texts of 240, a few MB, below the 16 MiB of a MEDIUMBLOB and of MariaDB's packets.
	MaxRows  = 20_000
	MaxTexts = 20_000

	// maxBody is what a body may take when it is unpacked: more is no value of ours.
	maxBody = 64 << 20

	// worthPacking: shorter bodies gain nothing by zstd.
	worthPacking = 100
)
