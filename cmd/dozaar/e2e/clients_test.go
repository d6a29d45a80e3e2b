package e2e

import (
	"os"
	"testing"
)

// TestJavaScriptClient holds the product to the contract with the official client: websocket,
// polling, and the upgrade between them; refusals; the complete client example; the HTTP API.
func TestJavaScriptClient(t *testing.T) {
	p := start(t)
	for _, file := range []string{"contract", "refusals", "example", "http"} {
		t.Run(file, func(t *testing.T) { p.in(t).javaScript(file) })
	}
}

// TestPythonClient does the same conversation with a second, independent implementation.
func TestPythonClient(t *testing.T) {
	python := os.Getenv("DOZAAR_PYTHON")
	if python == "" {
		t.Fatal("DOZAAR_PYTHON must name a Python with python/requirements.txt installed: run `make test`")
	}
	start(t).suite(python, "-m", "unittest", "-v", "python/test_client.py")
}

// TestPage has two browser windows talk, one of them reload, from another origin than the gateway's.
func TestPage(t *testing.T) {
	start(t, "DOZAAR_ALLOWED_ORIGINS=*").javaScript("page")
}

func (p *product) javaScript(file string) {
	p.t.Helper()
	p.suite("node", "--test", "--test-force-exit", "--test-reporter=spec", "js/"+file+".test.mjs")
}
