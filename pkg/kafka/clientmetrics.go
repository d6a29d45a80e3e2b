package kafka

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// clientMetrics has the client library tell of its connections and buffers, under dozaar_kafka_client_…. Client is
// what the process has one of: "producer", "patient producer" or a consumer's group. Of two of one name the first is shown.
func clientMetrics(r prometheus.Registerer, client string) kgo.Opt {
	labelled := firstOnly{prometheus.WrapRegistererWith(prometheus.Labels{"client": client}, r)}
	return kgo.WithHooks(kprom.NewMetrics("dozaar", kprom.Subsystem("kafka_client"), kprom.Registerer(labelled),
		kprom.NativeBucketFactor(1), // none: its histograms are off, what is waited for is measured by ourselves
		kprom.FetchAndProduceDetail(kprom.ByTopic, kprom.Batches, kprom.CompressedBytes)))
}

// firstOnly registers what nobody has registered before.
type firstOnly struct{ prometheus.Registerer }

func (r firstOnly) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		err := r.Register(c)
		if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !ok {
			panic(err) // a name or a help text that contradicts another one: a fault of the program
		}
	}
}
