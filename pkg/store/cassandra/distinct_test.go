package cassandra

import (
	"net"
	"slices"
	"testing"

	"github.com/gocql/gocql"
)

// repeating offers nodes as the driver does for a row whose tokens are one node's mostly.
type repeating struct {
	bulkPolicy
	nodes []*gocql.HostInfo
}

type offered struct{ node *gocql.HostInfo }

func (o offered) Info() *gocql.HostInfo { return o.node }
func (offered) Mark(error)              {}

func (r repeating) Pick(gocql.ExecutableQuery) gocql.NextHost {
	at := -1
	return func() gocql.SelectedHost {
		if at++; at >= len(r.nodes) {
			return nil
		}
		return offered{r.nodes[at]}
	}
}

func TestNoNodeIsOfferedTwice(t *testing.T) {
	var n [3]*gocql.HostInfo
	for i := range n {
		n[i] = new(gocql.HostInfo).SetConnectAddress(net.IPv4(127, 0, 0, byte(i)))
	}
	for _, order := range [][]int{{}, {0}, {2, 2, 2, 0, 1}, {1, 0, 1, 2}, {0, 1, 2}} {
		var nodes, got, want []*gocql.HostInfo
		for _, i := range order {
			nodes = append(nodes, n[i])
			if !slices.Contains(want, n[i]) {
				want = append(want, n[i])
			}
		}
		next := distinct{repeating{nodes: nodes}}.Pick(nil)
		for h := next(); h != nil; h = next() {
			got = append(got, h.Info())
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %v %v are offered, want %v", nodes, got, want)
		}
	}
}

// Of a cluster every node is offered, once, whatever the row.
func TestEveryNodeIsOfferedOnce(t *testing.T) {
	cfg := migrated(t).withDefaults()
	s, spy := openSpied(t, cfg)
	for range 50 {
		id, err := gocql.RandomUUID()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		next := spy.HostSelectionPolicy.Pick(s.session.Query(selectHead, id))
		for h := next(); h != nil; h = next() {
			got = append(got, h.Info().HostID())
		}
		slices.Sort(got)
		if len(got) != len(cfg.Hosts) || len(slices.Compact(got)) != len(cfg.Hosts) {
			t.Fatalf("%q are offered, there are %d nodes", got, len(cfg.Hosts))
		}
	}
}
