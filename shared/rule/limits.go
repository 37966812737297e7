package rule

import "time"

// Limits of a rule. They bound what one rule may cost everybody.
const (
	MaxNameBytes      = 200
	MaxTextBytes      = 8 << 10 // description, one annotation
	MaxLabels         = 32
	MaxLabelBytes     = 256
	MaxGroupBy        = 4
	MinWindow         = time.Second
	MaxWindow         = 24 * time.Hour
	MaxFor            = 7 * 24 * time.Hour
	MaxGroupRetention = 30 * 24 * time.Hour
	MaxMatchers       = 32
	MaxSilence        = 10 * 365 * 24 * time.Hour // longer ones are mistakes; a rule that nobody wants is disabled
	minuteWindow      = time.Minute
	windowStep        = 15 * time.Second // windows above a minute have 60 buckets of whole ticks of 250 ms
)
