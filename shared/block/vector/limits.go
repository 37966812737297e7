package vector

const (
	// maxColumnBytes bounds what one page may take: a damaged length must not take the process down.
	maxColumnBytes = 512 << 20

	// maxPageHeader is far more than the few bytes of a page's header.
	maxPageHeader = 1 << 10

	// maxFixedBytes of one value: ids have 16.
	maxFixedBytes = 64

	// maxZstdWindow is the largest window that our encoders use.
	maxZstdWindow = 32 << 20
)
