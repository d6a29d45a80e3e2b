package schemas

import _ "embed"

// OpenAPI is the HTTP API's description, openapi.yaml. The tests of pkg/api hold that API to it.
//
//go:embed openapi.yaml
var OpenAPI []byte
