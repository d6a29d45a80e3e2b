package notify

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/metric"
)

type dueMetrics struct {
	messages *prometheus.CounterVec
	members  *prometheus.CounterVec
	retries  *prometheus.CounterVec
}

func newDueMetrics(reg prometheus.Registerer) *dueMetrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return metric.Registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dozaar_notify_" + name, Help: help}, []string{label}))
	}
	m := &dueMetrics{
		messages: counter("messages_total", "Messages looked at, by outcome: seen; passed over because invalid, duplicate, erased, or late.", "outcome"),
		members:  counter("members_total", "Members of messages looked at, by outcome: called; not, because online, came, read, muted, called_before.", "outcome"),
		retries:  counter("retries_total", "Attempts that failed and were repeated, by step.", "step"),
	}
	m.messages.WithLabelValues("late") // there from the beginning: an alert sees the first one
	return m
}

func (m *dueMetrics) passed(why string) { m.messages.WithLabelValues(why).Inc() }

type webhookMetrics struct {
	posts   *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newWebhookMetrics(reg prometheus.Registerer) *webhookMetrics {
	m := &webhookMetrics{
		posts: metric.Registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_notify_webhook_posts_total",
			Help: "Notifications for the webhook, by outcome: taken, dead (in the dead letters), late (passed over).",
		}, []string{"outcome"})),
		seconds: metric.Registered(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dozaar_notify_webhook_seconds", Help: "Time of one attempt to post a notification.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
		})),
	}
	for _, outcome := range []string{"dead", "late"} {
		m.posts.WithLabelValues(outcome)
	}
	return m
}
