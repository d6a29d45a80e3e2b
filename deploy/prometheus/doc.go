// Package prometheus makes and tests the alerts for the people on call: dozaar.rules.yaml, generated from deploy/slo.yaml. It is all tests.
package prometheus
