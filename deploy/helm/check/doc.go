// Package check holds the Helm chart to account, by Helm's own Go module: `helm lint` and `helm template`, without Helm being
// installed. It is a module of its own so that what Helm depends on is no dependency of the product. It is all tests.
package check
