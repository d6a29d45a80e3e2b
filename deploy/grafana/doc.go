// Package grafana reads the dashboards' source, which the JSON for Grafana is made from and the plot of the golden signals
// (deploy/grafana/plot).
package grafana
