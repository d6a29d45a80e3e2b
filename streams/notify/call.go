package notify

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

// call makes the notifications of a message for those of some members who are to be called. It fails only when ctx has
// ended.
func (d *Due) call(ctx context.Context, m chat.Message, members []chat.ID) error {
	away, err := d.away(ctx, m, members)
	if err != nil || len(away) == 0 {
		return err
	}
	unread, err := d.unread(ctx, m, away)
	if err != nil || len(unread) == 0 {
		return err
	}
	head := m.Seq
	if err := d.insist(ctx, "head", func(ctx context.Context) error {
		heads, err := d.Store.Heads(ctx, []chat.ID{m.ConversationID})
		head = max(head, heads[m.ConversationID].Seq)
		return err
	}); err != nil {
		return err
	}
	now := d.Clock().UTC().Truncate(time.Millisecond)
	var calls []chat.Call
	group, publishing := errgroup.WithContext(ctx)
	for user, readSeq := range unread {
		n := chat.Notification{
			ID: chat.NotificationID(m.ID, user), UserID: user, ConversationID: m.ConversationID, MessageID: m.ID, Seq: m.Seq,
			Sender: m.Sender, Preview: m.Preview(), Unread: head - readSeq, SentAt: m.CreatedAt, At: now,
		}
		calls = append(calls, chat.Call{ConversationID: m.ConversationID, UserID: user, Seq: m.Seq, At: now})
		group.Go(func() error {
			return d.insist(publishing, "publish", func(ctx context.Context) error { return d.Publisher.PublishNotification(ctx, n) })
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	d.metrics.members.WithLabelValues("called").Add(float64(len(calls)))
	return d.insist(ctx, "put_called", func(ctx context.Context) error { return d.Store.PutCalled(ctx, calls) })
}

// away answers those of the members who have no device online, and had none come since the message was sent, and want to hear
// of the conversation. A device at a gateway that has died is none, though its lease goes on.
func (d *Due) away(ctx context.Context, m chat.Message, members []chat.ID) (away []chat.ID, err error) {
	var there map[chat.ID]chat.Attendance
	if err := d.insist(ctx, "attendances", func(ctx context.Context) (err error) {
		there, err = d.Directory.Attendances(ctx, members)
		return err
	}); err != nil {
		return nil, err
	}
	var with []chat.ID // a device, as far as the leases tell
	for _, user := range members {
		if there[user].There && there[user].Came.Before(m.CreatedAt) {
			with = append(with, user)
		}
	}
	var left map[chat.ID]bool
	if len(with) > 0 {
		if err := d.insist(ctx, "gateways", func(ctx context.Context) (err error) {
			left, err = d.alive.left(ctx, with)
			return err
		}); err != nil {
			return nil, err
		}
	}
	for _, user := range members {
		switch a := there[user]; {
		case a.There && !left[user]:
			d.metrics.members.WithLabelValues("online").Inc()
		case !a.Came.Before(m.CreatedAt):
			d.metrics.members.WithLabelValues("came").Inc()
		default:
			away = append(away, user)
		}
	}
	if len(away) == 0 {
		return nil, nil
	}
	var settings map[chat.ID]chat.Settings
	if err := d.insist(ctx, "settings", func(ctx context.Context) (err error) {
		settings, err = d.Store.Settings(ctx, away)
		return err
	}); err != nil {
		return nil, err
	}
	heard := away[:0]
	for _, user := range away {
		if slices.Contains(settings[user].Muted, m.ConversationID) {
			d.metrics.members.WithLabelValues("muted").Inc()
			continue
		}
		heard = append(heard, user)
	}
	return heard, nil
}

// unread answers how far those have read who have not read the message and are to be called for it: not where they were called
// since they last read, unless that is long ago.
func (d *Due) unread(ctx context.Context, m chat.Message, users []chat.ID) (map[chat.ID]int64, error) {
	var called map[chat.ID]chat.Call
	if err := d.insist(ctx, "called", func(ctx context.Context) (err error) {
		called, err = d.Store.Called(ctx, m.ConversationID, users)
		return err
	}); err != nil {
		return nil, err
	}
	var marks map[chat.ID]int64
	if err := d.insist(ctx, "read_seqs", func(ctx context.Context) (err error) {
		marks, err = d.Store.ReadSeqs(ctx, m.ConversationID, users)
		return err
	}); err != nil {
		return nil, err
	}
	unread := map[chat.ID]int64{}
	for _, user := range users {
		last, before := called[user]
		switch {
		case marks[user] >= m.Seq:
			d.metrics.members.WithLabelValues("read").Inc()
		case before && last.Seq >= m.Seq, before && last.Seq > marks[user] && (d.Repeat == 0 || d.Clock().Sub(last.At) < d.Repeat):
			d.metrics.members.WithLabelValues("called_before").Inc()
		default:
			unread[user] = marks[user]
		}
	}
	return unread, nil
}

// insist tries until it succeeds, with pauses that grow and have jitter. It fails only when ctx has ended.
func (d *Due) insist(ctx context.Context, step string, do func(ctx context.Context) error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 50*time.Millisecond, 5*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempt, cancel := context.WithTimeout(ctx, attemptTime)
		defer cancel()
		return struct{}{}, do(attempt)
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		d.metrics.retries.WithLabelValues(step).Inc()
		d.log.Debug("trying again", "step", step, "error", err)
	}))
	return err
}

// attemptTime bounds one attempt of anything.
const attemptTime = 15 * time.Second
