package socketio

import "github.com/prometheus/client_golang/prometheus"

// unsent publishes what waits for the clients, counted when somebody asks: a counter that every frame moves would be
// one cache line for all processors.
type unsent struct {
	srv        *Server
	sum, worst *prometheus.Desc
}

func newUnsent(s *Server) *unsent {
	return &unsent{
		srv: s,
		sum: prometheus.NewDesc("dozaar_socketio_unsent_bytes",
			"Bytes that wait to be sent, of all connections, each frame counting 64 more than it has.", nil, nil),
		worst: prometheus.NewDesc("dozaar_socketio_unsent_bytes_worst",
			"The same of the one connection for which most waits; past the send buffer it is closed.", nil, nil),
	}
}

func (u *unsent) Describe(ch chan<- *prometheus.Desc) {
	ch <- u.sum
	ch <- u.worst
}

func (u *unsent) Collect(ch chan<- prometheus.Metric) {
	sum, worst := u.srv.unsent()
	ch <- prometheus.MustNewConstMetric(u.sum, prometheus.GaugeValue, float64(sum))
	ch <- prometheus.MustNewConstMetric(u.worst, prometheus.GaugeValue, float64(worst))
}

func (s *Server) unsent() (sum, worst int) {
	s.mu.Lock()
	sessions := make([]*session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		sessions = append(sessions, sess)
	}
	s.mu.Unlock()
	for _, sess := range sessions {
		sess.mu.Lock()
		bytes := sess.queue.bytes
		sess.mu.Unlock()
		sum, worst = sum+bytes, max(worst, bytes)
	}
	return sum, worst
}
