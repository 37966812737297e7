//go:build !mutant_evaltime

package engine

// timeColumn says when rules see a record. A build with the tag mutant_evaltime takes the sender's time instead, to prove that the comparison
// with a backtest notices.
const timeColumn = "eval_time"
