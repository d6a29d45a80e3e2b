package archive

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	records, files, unreadable, lost, erased *prometheus.CounterVec // by topic
}

func newMetrics(registerer prometheus.Registerer) metrics {
	with := promauto.With(registerer)
	counter := func(name, help string) *prometheus.CounterVec {
		return with.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"topic"})
	}
	return metrics{
		records:    counter("dozaar_archive_records_total", "Records that are in a file."),
		files:      counter("dozaar_archive_files_total", "Files that were written."),
		unreadable: counter("dozaar_archive_unreadable_records_total", "Records that could not be read by their schema and were archived as they are."),
		erased:     counter("dozaar_archive_erased_messages_total", "Messages that lost their text in a file that was there."),
		lost:       counter("dozaar_archive_lost_records_total", "Records that the log had dropped before they were archived."),
	}
}
