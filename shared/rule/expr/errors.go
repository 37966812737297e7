package expr

import "fmt"

// Error is a mistake in a rule's text, with the place it is at.
type Error struct {
	Pos     int    // byte offset in the text, 0-based
	Len     int    // bytes the mistake covers, at least 1 except at the end of the text
	Message string // what is wrong and, where one is near, what was probably meant
}

func (e *Error) Error() string { return fmt.Sprintf("at %d: %s", e.Pos+1, e.Message) }

func errorAt(t token, format string, args ...any) *Error {
	return &Error{Pos: t.pos, Len: len(t.text), Message: fmt.Sprintf(format, args...)}
}

// Nearest is the candidate within a third (rounded up) of the word's length of edits (at least one), or "".
func Nearest(word string, candidates []string) string {
	best, bestDist := "", max(1, (len(word)+1)/3)+1
	for _, c := range candidates {
		if d := editDistance(word, c, bestDist); d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of a and b (Wagner and Fischer, 1974), or limit when it is at least that.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], limit)
}

// DidYouMean is " (did you mean x?)" or "".
func DidYouMean(word string, candidates []string) string {
	if n := Nearest(word, candidates); n != "" {
		return fmt.Sprintf(" (did you mean %s?)", n)
	}
	return ""
}
