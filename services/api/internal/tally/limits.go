package tally

const (
	groupBytes  = 200  // of a group, besides its texts and steps
	figureBytes = 64   // of a figure in a group and step
	sketchBytes = 2048 // of a sketch of percentiles, as it mostly is; 2,048 bins are its most
	exactBytes  = 32   // of a value that is kept to tell it from others
	denseBytes  = 1 << precision

	// maxExact different values of a group and step are told apart exactly; beyond, they are estimated.
	maxExact = 1000

	// precision of the estimate: 2^12 registers, a standard error of 1.6 %.
	precision = 12

	// accuracy and maxBins of percentiles are those of log_window's sketches, so that both can be merged.
	accuracy = 0.01
	maxBins  = 2048

	// denseCodes: as many combinations of values of a block have a place each; more go through a map.
	denseCodes = 1 << 16
)
