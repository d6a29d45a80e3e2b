package redis

import (
	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
)

// pool publishes the state of a client's connections; of a cluster's, the sum over its nodes.
type pool struct {
	stats       func() *goredis.PoolStats
	connections *prometheus.Desc
	waits       *prometheus.Desc
	gets        *prometheus.Desc
	stale       *prometheus.Desc
}

func newPool(stats func() *goredis.PoolStats) *pool {
	return &pool{
		stats: stats,
		connections: prometheus.NewDesc("dozaar_redis_connections",
			"Connections to Redis, by state: used, idle.", []string{"state"}, nil),
		waits: prometheus.NewDesc("dozaar_redis_pool_timeouts_total",
			"Commands that got no connection in time, because all were in use.", nil, nil),
		gets: prometheus.NewDesc("dozaar_redis_pool_gets_total",
			"Connections that commands asked for, by result: hit (an idle one), miss (one was made).", []string{"result"}, nil),
		stale: prometheus.NewDesc("dozaar_redis_pool_stale_total",
			"Connections that were taken out of the pool: too old, idle for too long, or broken.", nil, nil),
	}
}

func (p *pool) Describe(ch chan<- *prometheus.Desc) {
	ch <- p.connections
	ch <- p.waits
	ch <- p.gets
	ch <- p.stale
}

func (p *pool) Collect(ch chan<- prometheus.Metric) {
	s := p.stats()
	ch <- prometheus.MustNewConstMetric(p.connections, prometheus.GaugeValue, float64(s.TotalConns-min(s.IdleConns, s.TotalConns)), "used")
	ch <- prometheus.MustNewConstMetric(p.connections, prometheus.GaugeValue, float64(s.IdleConns), "idle")
	ch <- prometheus.MustNewConstMetric(p.waits, prometheus.CounterValue, float64(s.Timeouts))
	ch <- prometheus.MustNewConstMetric(p.gets, prometheus.CounterValue, float64(s.Hits), "hit")
	ch <- prometheus.MustNewConstMetric(p.gets, prometheus.CounterValue, float64(s.Misses), "miss")
	ch <- prometheus.MustNewConstMetric(p.stale, prometheus.CounterValue, float64(s.StaleConns))
}
