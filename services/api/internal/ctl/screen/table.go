package screen

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Cell is a text in a table.
type Cell struct {
	Text  string
	Style Style
}

// Table is rows under headings. On a terminal the last column is cut to its width.
type Table struct {
	Head []string
	Rows [][]Cell
}

const (
	gap   = "  "
	least = 20 // what the last column is given on the narrowest terminal
)

// Write writes the table.
func (s *Screen) Write(t Table) error {
	head := make([]Cell, len(t.Head))
	for i, h := range t.Head {
		head[i] = Cell{h, Dim}
	}
	rows := append([][]Cell{head}, t.Rows...)
	widths := make([]int, len(head))
	for _, row := range rows {
		for i := range row {
			row[i].Text = Clean(row[i].Text, false)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].Text))
		}
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(s.Out, s.row(row, widths)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Screen) row(row []Cell, widths []int) string {
	var b strings.Builder
	used := 0
	for i, c := range row {
		if i == len(row)-1 {
			b.WriteString(s.Paint(c.Style, s.Cut(c.Text, used)))
			break
		}
		b.WriteString(s.Paint(c.Style, c.Text))
		b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.Text)) + gap)
		used += widths[i] + len(gap)
	}
	return strings.TrimRight(b.String(), " ")
}

// Cut shortens a text to what is left of the terminal's width behind used characters.
func (s *Screen) Cut(text string, used int) string {
	if s.Width == 0 {
		return text
	}
	room := max(least, s.Width-used)
	if r := []rune(text); len(r) > room {
		return string(r[:room-1]) + "…"
	}
	return text
}
