package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/presence"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/streams/notify"
)

// notify builds the role that finds whom to call, and calls the webhook where there is one.
func (p *process) notify(c clients) error {
	cfg := p.cfg.Notify
	due := notify.NewDue(notify.Config{
		Store: c.store, Directory: whereabouts{p.directory(c), relay.NewRoster(c.redis)}, Publisher: c.producer, Decoder: c.codec,
		Delay: cfg.NotifyDelay, Repeat: cfg.NotifyRepeat, MaxAge: cfg.NotifyMaxAge, Logger: p.log, Registerer: p.metrics,
	})
	if err := p.fromNow(c, "notify", due.Topics(), due.Worker); err != nil || cfg.NotifyWebhookURL == "" {
		return err
	}
	secret, err := notify.Secret(string(cfg.NotifyWebhookSecret.Reveal()))
	if err != nil {
		return err
	}
	webhook := notify.NewWebhook(notify.WebhookConfig{
		URL: string(cfg.NotifyWebhookURL), Secret: secret, DeadLetters: c.producer, Decoder: c.codec,
		MaxAge: cfg.NotifyMaxAge, Logger: p.log, Registerer: p.metrics,
	})
	p.life.OnStop("webhook client", func(context.Context) error { webhook.Close(); return nil })
	return p.fromNow(c, "webhook", webhook.Topics(), webhook.Worker)
}

// whereabouts answers who is where, and which gateways live.
type whereabouts struct {
	*presence.Directory
	*relay.Roster
}

// fromNow consumes what comes from now on, in a group of its own for each store, as deliver's is.
func (p *process) fromNow(c clients, name string, topics []string, worker func(topic string, partition int32) kafka.Worker) error {
	consumer, err := kafka.NewConsumer(kafka.ConsumerConfig{
		Config: c.kafka, Group: groupBeside(c.group, name), Topics: topics, FromNow: true,
		Epoch: func(topic string) int32 { return c.topics[topic].Epoch },
	}, worker)
	if err != nil {
		return err
	}
	p.life.Go(name, consumer.Run)
	return nil
}

// groupBeside is a group named as deliver's is.
func groupBeside(delivers, name string) string {
	return strings.Replace(delivers, "-deliver", "-"+name, 1)
}

// leastWebhookSecret is what Standard Webhooks asks for, in bytes.
const leastWebhookSecret = 24

func (c NotifyConfig) check(p *problems) {
	atLeast(p, "notify-delay", c.NotifyDelay, time.Second)
	atLeast(p, "notify-repeat", c.NotifyRepeat, 0)
	atLeast(p, "notify-max-age", c.NotifyMaxAge, time.Second)
	secret, err := notify.Secret(string(c.NotifyWebhookSecret.Reveal()))
	switch {
	case err != nil:
		p.add("notify-webhook-secret", "%v", err)
	case c.NotifyWebhookURL == "" && c.NotifyWebhookSecret.IsSet():
		p.add("notify-webhook-secret", "is set, but %s is not", variable("notify-webhook-url"))
	case c.NotifyWebhookURL != "" && len(secret) < leastWebhookSecret:
		p.add("notify-webhook-secret", "must have at least %d bytes, has %d", leastWebhookSecret, len(secret))
	}
	if c.NotifyWebhookURL != "" && !isHTTPURL(string(c.NotifyWebhookURL)) {
		p.add("notify-webhook-url", "must be an http or https URL, is %q", c.NotifyWebhookURL.String())
	}
}

func isHTTPURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
