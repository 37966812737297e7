package httpapi

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

const protobuf = contract.ContentTypeOTLP

// postOTLP is OTLP/HTTP (opentelemetry.io/docs/specs/otlp): the answer has the request's content type, rejected records are a partial success.
func (s *Server) postOTLP(c echo.Context) error {
	media, _, err := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if err != nil || media != protobuf && media != "application/json" {
		return fault.Unsupported("content type %q is not understood (%s, application/json)", c.Request().Header.Get("Content-Type"), protobuf)
	}
	decode := (*contract.Batch).DecodeOTLP
	if media == "application/json" {
		decode = decodeOTLPJSON
	}
	return s.receive(c, decode, func(b *contract.Batch) error { return answerOTLP(c, media, b) })
}

// decodeOTLPJSON goes through pdata, the reference implementation: JSON is not the fast way in.
func decodeOTLPJSON(b *contract.Batch, body []byte) (err error) {
	defer func() { // pdata's JSON iterator has panicked on hostile input before
		if p := recover(); p != nil {
			err = fmt.Errorf("the OTLP/JSON body is damaged: %v", p)
		}
	}()
	req := plogotlp.NewExportRequest()
	if err := req.UnmarshalJSON(body); err != nil {
		return fmt.Errorf("the OTLP/JSON body is damaged: %w", err)
	}
	proto, err := req.MarshalProto()
	if err != nil {
		return fmt.Errorf("the OTLP/JSON body is damaged: %w", err)
	}
	return b.DecodeOTLP(proto)
}

func answerOTLP(c echo.Context, media string, b *contract.Batch) error {
	resp := plogotlp.NewExportResponse()
	if n := len(b.Rejected); n > 0 {
		first := b.Rejected[0]
		resp.PartialSuccess().SetRejectedLogRecords(int64(n))
		resp.PartialSuccess().SetErrorMessage(fmt.Sprintf("record %d: %s: %s", first.Row+1, first.Field, first.Reason))
	}
	marshal := resp.MarshalProto
	if media != protobuf {
		marshal = resp.MarshalJSON
	}
	out, err := marshal()
	if err != nil {
		return fmt.Errorf("encoding the OTLP answer: %w", err)
	}
	return c.Blob(http.StatusOK, media, out)
}
