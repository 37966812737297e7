package rulefile

import _ "embed"

// Schema is the JSON Schema (2020-12) of rule files, for editors.
//
//go:embed rules.schema.json
var Schema []byte
