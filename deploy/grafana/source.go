package grafana

import (
	_ "embed" // the source
	"fmt"

	"gopkg.in/yaml.v3"
)

//go:embed dashboards.yaml
var source []byte

// Dashboard is one page of panels.
type Dashboard struct {
	UID, Title string
	Panels     []Panel
}

// Panel is one graph.
type Panel struct {
	Title, Unit string
	Golden      bool // one of the golden signals
	Queries     []Query
}

// Query is one expression of PromQL; $__rate_interval stands for a range that holds some scrapes.
type Query struct {
	Legend, Expr string
	Engine       string // there is an answer only where this engine is
}

// Dashboards are all of them, as dashboards.yaml has them.
func Dashboards() ([]Dashboard, error) {
	var all []Dashboard
	if err := yaml.Unmarshal(source, &all); err != nil {
		return nil, fmt.Errorf("dashboards.yaml: %w", err)
	}
	return all, nil
}
