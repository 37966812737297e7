// Package block is the Parquet block: Logmill's unit of storage and of exchange on logs.enriched, byte for byte the same.
//
// # The file
//
// A block is an Apache Parquet file (format version 2) that any Parquet reader opens. It has one row group, one page a column
// (and one dictionary page where there is a dictionary), no page index and no Bloom filter. Rows are ordered by (timestamp,
// src_offset, src_row). The same records give the same bytes. Key-value metadata: logmill.format = "2".
//
//	column            type                    absent  encoding
//	timestamp         INT64 TIMESTAMP(UTC)    never   DELTA_BINARY_PACKED; MICROS when every value of the block is whole µs, else NANOS
//	observed          INT64 TIMESTAMP(UTC)    never   likewise
//	level             STRING                  never   dictionary: trace debug info warn error fatal
//	service           STRING                  never   dictionary
//	message           STRING                  never   dictionary where it pays, else DELTA_LENGTH_BYTE_ARRAY
//	trace_id          FIXED(16), or STRING    NULL    dictionary where it pays, else PLAIN; FIXED when every id of the block is 32 hex digits
//	span_id           FIXED(8), or STRING     NULL    likewise, 16 hex digits
//	user_id request_method request_path team env host
//	                  STRING                  NULL    dictionary where it pays, else DELTA_LENGTH_BYTE_ARRAY
//	response_status   INT64                   NULL    DELTA_BINARY_PACKED
//	response_time_ms  DOUBLE                  NULL    PLAIN
//	pattern_id        INT64                   NULL    DELTA_BINARY_PACKED
//	eval_delay        INT64                   NULL    DELTA_BINARY_PACKED; eval_time - timestamp in ns, mostly 0
//	src_offset        INT64                   never   DELTA_BINARY_PACKED
//	src_row           INT64                   never   DELTA_BINARY_PACKED
//	attr.<name>       STRING, or JSON         NULL    as user_id
//	attributes_rest   JSON                    NULL    as user_id
//
// A column whose values are all absent is left out. An attribute's column is of logical type JSON when any of its values in the
// block is not a plain text; its texts are quoted then. The MaxAttributeColumns attributes that most rows have get columns, by
// (rows descending, name); the others share attributes_rest, an object. Attributes come back ordered by name.
// Format 1 differs in two columns: eval_time itself, as a time, in the place of eval_delay; times were NANOS always. The reader gives
// eval_time for either.
//
// All pages are compressed with zstd but those that zstd does not make smaller by rule: FIXED columns without dictionary.
//
// # The token filter
//
// Beside the file, MySQL keeps a binary fuse filter (Graf and Lemire, 2022, with 8-bit fingerprints: 0.39 % false positives) over
// the distinct tokens of the block: the words of the messages (see EachToken), "trace_id=<id>", "user_id=<id>" and
// "<name>=<value>" of each attribute. A token is hashed by xxHash64 (seed 0) of its UTF-8 bytes, lower-cased, cut to MaxTokenBytes.
//
//	byte   0      version, 1
//	bytes  1– 8   seed, little-endian, as all numbers here
//	bytes  9–12   segment length
//	bytes 13–16   segment count
//	bytes 17–     fingerprints, one byte each: (segment count + 2) × segment length
//
// A filter of length 0 knows nothing and may contain everything.
package block
