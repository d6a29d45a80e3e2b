package kafka

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// onAssigned starts a worker for each new partition. Its first records come only after checkOffsets.
func (c *Consumer) onAssigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	for _, p := range flatten(added) {
		a := newAssignment(c, client, p)
		c.mu.Lock()
		c.assigned[p] = a
		c.mu.Unlock()
		go a.run()
		c.metrics.rebalances.WithLabelValues(c.cfg.Group, "assigned").Inc()
	}
	c.logRebalance("partitions assigned", added)
}

// onRevoked lets go of partitions that another member will get: it stops their workers, waits for them
// and commits what they have finished. The group waits for its return.
func (c *Consumer) onRevoked(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	gone := flatten(revoked)
	finished := c.drop(gone)
	c.commitLast(ctx, finished)
	c.metrics.rebalances.WithLabelValues(c.cfg.Group, "revoked").Add(float64(len(gone)))
	c.logRebalance("partitions revoked", revoked)
}

// onLost lets go of partitions that another member may have already: nothing may be committed.
func (c *Consumer) onLost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	gone := flatten(lost)
	c.drop(gone)
	c.metrics.rebalances.WithLabelValues(c.cfg.Group, "lost").Add(float64(len(gone)))
	c.logRebalance("partitions lost", lost)
}

// drop stops the workers of partitions, all at once, waits for them, forgets them, and returns them.
func (c *Consumer) drop(gone []partition) []*assignment {
	var stopped []*assignment
	c.mu.Lock()
	for _, p := range gone {
		if a := c.assigned[p]; a != nil {
			stopped = append(stopped, a)
			delete(c.assigned, p)
		}
	}
	c.mu.Unlock()
	for _, a := range stopped {
		a.cancel()
	}
	for _, a := range stopped {
		c.await(a)
		for _, gauge := range []*prometheus.GaugeVec{c.metrics.lag, c.metrics.lagSeconds, c.metrics.held} {
			gauge.DeleteLabelValues(c.cfg.Group, a.topic, strconv.Itoa(int(a.id)))
		}
	}
	return stopped
}

// await waits for a worker however long it takes: two workers of one partition in one process would be
// worse than a member that is thrown out of the group.
func (c *Consumer) await(a *assignment) {
	for since := time.Now(); ; {
		select {
		case <-a.done:
			return
		case <-time.After(5 * time.Second):
			c.cfg.Logger.Warn("a worker does not stop; the rebalance waits for it",
				"topic", a.topic, "partition", a.id, "waiting", time.Since(since).Round(time.Second))
		}
	}
}

func (c *Consumer) all() []partition {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]partition, 0, len(c.assigned))
	for p := range c.assigned {
		all = append(all, p)
	}
	return all
}

func (c *Consumer) assignments() []*assignment {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*assignment, 0, len(c.assigned))
	for _, a := range c.assigned {
		all = append(all, a)
	}
	return all
}

func (c *Consumer) logRebalance(what string, partitions map[string][]int32) {
	for topic, ids := range partitions {
		c.cfg.Logger.Info(what, "group", c.cfg.Group, "topic", topic, "count", len(ids))
	}
}

func flatten(m map[string][]int32) []partition {
	var all []partition
	for topic, ids := range m {
		for _, id := range ids {
			all = append(all, partition{topic, id})
		}
	}
	return all
}
