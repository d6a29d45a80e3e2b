package schemas

import _ "embed"

// OpenAPI is the HTTP API's description, openapi.yaml. The tests of pkg/api hold that API to it.
//
//go:embed openapi.yaml
var OpenAPI []byte

// AsyncAPI describes the events of sockets and topics, asyncapi.yaml. The tests of pkg/gateway hold the former to it.
//
//go:embed asyncapi.yaml
var AsyncAPI []byte
