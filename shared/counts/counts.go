// Package counts is how counts of log lines rest in MySQL: all services of a partition's window in one value (window_data), and the error
// texts of a partition's minute in another (error_data). A row a service and level cost more than the lines themselves where many services say
// little; a value of 34 services is some 600 bytes.
//
// A value is
//
//	version  1 byte: 1
//	codec    1 byte: 0 = the body as it is, 1 = the body as a zstd frame
//	body
//
// The body of a window is the number of services, and each service, by name:
//
//	uvarint  bytes that its name shares with the beginning of the name before
//	uvarint  length of the rest of its name, and the rest, UTF-8
//	1 byte   its levels: bit 1<<level
//	and for each of these levels, mildest first:
//	  uvarint  lines
//	  uvarint  bytes of their messages
//	  uvarint  lines without eval_time
//	  1 byte   mask: bit 1<<i = there are lines of status class i+1; 32 = there are response times; 64 = there is just one
//	  uvarint  lines, for each status class in the mask
//	  one response time: 8 bytes, float64, little endian, ms
//	  several:
//	    uvarint  how many
//	    8 bytes  their sum, ms; 8 bytes their maximum, ms
//	    uvarint  how many of them are not above 0
//	    uvarint  number of bins of the others, and each bin, by index:
//	      varint   index, the first; uvarint distance from the one before, the others
//	      uvarint  how many
//
// The body of error texts is the number of services, and each service, by name:
//
//	name as above
//	uvarint  number of texts, and each text, by bytes:
//	  text as names above, but against the text before, whoever's it is
//	  uvarint  lines
//
// The body of an hour's response times (service_hour.rt_bins) is what several response times have behind their maximum.
//
// Bins are DDSketch's (Masson, Rim, Lee 2019) at 1 %: percentiles from them are within 1 %, also after they were added up.
package counts

import (
	"slices"

	"github.com/logmill/logmill/shared/logrec"
)

// Row is what a service said at a level.
type Row struct {
	Service     string
	Level       logrec.Level
	Lines       uint64
	Bytes       uint64 // of message text
	Unevaluated uint64 // lines without eval_time
	Status      [5]uint64
	Times       Times
}

// Text is a masked error text of a service.
type Text struct {
	Service string
	Message string
	Lines   uint64
}

// Add sums o up into r, whose service and level stay.
func (r *Row) Add(o *Row) {
	r.Lines, r.Bytes, r.Unevaluated = r.Lines+o.Lines, r.Bytes+o.Bytes, r.Unevaluated+o.Unevaluated
	for i := range r.Status {
		r.Status[i] += o.Status[i]
	}
	r.Times.Add(&o.Times)
}

// Lines of all rows.
func Lines(rows []Row) (n uint64) {
	for i := range rows {
		n += rows[i].Lines
	}
	return n
}

// Clone is a row of its own, as what Each gives is not.
func (r *Row) Clone() Row {
	c := *r
	c.Times.Bins = append([]Bin(nil), r.Times.Bins...)
	return c
}

// TextLines are the lines of all texts.
func TextLines(texts []Text) (n uint64) {
	for i := range texts {
		n += texts[i].Lines
	}
	return n
}

// Sort puts rows in the order of Encode.
func Sort(rows []Row) { slices.SortFunc(rows, byServiceAndLevel) }
