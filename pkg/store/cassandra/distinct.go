package cassandra

import (
	"slices"

	"github.com/gocql/gocql"
)

// distinct offers each node once. Where nodes have several tokens, as is their default, the driver's list of a row's replicas
// has some of them two and three times: all tries of a request could go to the one that hangs.
type distinct struct{ gocql.HostSelectionPolicy }

// Pick implements gocql.HostSelectionPolicy.
func (d distinct) Pick(q gocql.ExecutableQuery) gocql.NextHost {
	next := d.HostSelectionPolicy.Pick(q)
	var offered []*gocql.HostInfo
	return func() gocql.SelectedHost {
		for {
			host := next()
			if host == nil {
				return nil
			}
			if !slices.Contains(offered, host.Info()) {
				offered = append(offered, host.Info())
				return host
			}
		}
	}
}

// AddHosts is how the driver adds all nodes at once, where a policy can: else it reads the schema for each of them.
func (d distinct) AddHosts(hosts []*gocql.HostInfo) {
	if p, can := d.HostSelectionPolicy.(interface{ AddHosts([]*gocql.HostInfo) }); can {
		p.AddHosts(hosts)
		return
	}
	for _, h := range hosts {
		d.AddHost(h)
	}
}
