package vector

const (
	// MaxRows of one block: what compaction builds. Codes and offsets are 32-bit.
	MaxRows = 1 << 17

	// maxColumnBytes bounds what one page may take: a damaged length must not take the process down.
	maxColumnBytes = 512 << 20

	// maxPageHeader is far more than the few bytes of a page's header.
	maxPageHeader = 1 << 10

	// maxFixedBytes of one value: ids have 16.
	maxFixedBytes = 64

	// maxZstdWindow is the largest window that our encoders use.
	maxZstdWindow = 32 << 20
)
