package cassandra

import "github.com/gocql/gocql"

// chosen has requests go to some nodes and to no other. (A gocql.HostFilter would want those to be among Config.Hosts, too:
// the driver then learns of the others from none that it does not take.)
type chosen struct {
	gocql.HostSelectionPolicy

	takes func(*gocql.HostInfo) bool
}

// AddHost implements gocql.HostSelectionPolicy.
func (c chosen) AddHost(h *gocql.HostInfo) {
	if c.takes(h) {
		c.HostSelectionPolicy.AddHost(h)
	}
}

// HostUp implements gocql.HostSelectionPolicy.
func (c chosen) HostUp(h *gocql.HostInfo) {
	if c.takes(h) {
		c.HostSelectionPolicy.HostUp(h)
	}
}

// IsLocal implements gocql.HostSelectionPolicy: of a row's replicas only those are asked for which it is true.
func (c chosen) IsLocal(h *gocql.HostInfo) bool { return c.takes(h) }

// ours are the nodes that may be asked. While those of our datacenter are away we wait for them: the driver would go on at
// another one, whose quorum has not seen what was written last.
func (c Config) ours() func(*gocql.HostInfo) bool {
	if c.LocalDC == "" {
		return nil
	}
	return func(h *gocql.HostInfo) bool { return h.DataCenter() == c.LocalDC }
}
