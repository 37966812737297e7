package httpapi

import (
	"errors"
	"fmt"
	"io"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// readBody reads a JSON object into a struct. Its mistakes name their fields; what says what it is that has them.
func readBody(c echo.Context, what string, into any) error {
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	return mistakes(what, rule.Strict(raw, into))
}

// mistakes makes errors of fields the caller's; nil for none.
func mistakes(what string, err error) error {
	var f *rule.FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return fault.Invalid("the "+what+" has mistakes", fieldsOf(err)...)
	}
	return err
}

// fieldsOf takes joined mistakes apart.
func fieldsOf(err error) (out []fault.Field) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			out = append(out, fieldsOf(e)...)
		}
		return out
	}
	var f *rule.FieldError
	if !errors.As(err, &f) {
		return []fault.Field{{Name: "body", Reason: err.Error()}}
	}
	if f.Pos < 0 {
		return []fault.Field{{Name: f.Field, Reason: f.Message}}
	}
	return []fault.Field{{Name: f.Field, Reason: fmt.Sprintf("at %d: %s", f.Pos+1, f.Message), Pos: f.Pos + 1, Len: f.Len}}
}
