package scan

// Decide tells, from what is known of b, whether some of its rows may match and whether all do for certain. When both say the same the
// answer is known without reading it. b may be a part of a block, described more narrowly: one service, one level.
func (p *Program) Decide(b *Block) (some, all bool) { return p.root.prune(b) }
