package cassandra

import (
	"slices"

	"github.com/gocql/gocql"
)

// distinct offers each node once. Where nodes have several tokens, as is their default, the driver's list of a row's replicas
// has some of them two and three times: all tries of a request could go to the one that hangs.
type distinct struct{ bulkPolicy }

// bulkPolicy takes all nodes at once. Where a policy does not, the driver reads the schema for each of them.
type bulkPolicy interface {
	gocql.HostSelectionPolicy
	AddHosts(hosts []*gocql.HostInfo)
}

// Pick implements gocql.HostSelectionPolicy.
func (d distinct) Pick(q gocql.ExecutableQuery) gocql.NextHost {
	next := d.bulkPolicy.Pick(q)
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
