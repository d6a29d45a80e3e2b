package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// retention deletes what is too old, then what is too much. It leaves every partition its last record,
// which keeps the partition's offsets going on, and every record that a protected group has not read.
type retention struct {
	*Kafka
	admin *kadm.Client
}

// span is a partition's log: the records [start, end), of which those below floor may be deleted.
type span struct {
	topic      string
	partition  int32
	start, end int64
	floor      int64
}

// limit keeps a wish within what may be deleted.
func (s span) limit(to int64) int64 { return max(s.start, min(to, s.floor, s.end-1)) }

func (r retention) enforce(ctx context.Context) error {
	if err := r.deleteOld(ctx); err != nil {
		return err
	}
	used, err := r.shrink(ctx)
	if err != nil {
		return err
	}
	return r.refuse(ctx, used > r.cfg.MaxBytes)
}

// shrink deletes the oldest records of every partition until all fit with a tenth to spare, and returns
// what is used then. A share that is less than a record anywhere is made larger.
func (r retention) shrink(ctx context.Context) (used int64, err error) {
	if used, err = r.used(); err != nil {
		return 0, err
	}
	goal := r.cfg.MaxBytes / 10 * 9
	for factor := 1.0; used > r.cfg.MaxBytes; {
		share := min(1, factor*float64(used-goal)/float64(used))
		deleted, err := r.deleteShare(ctx, share)
		if err != nil {
			return 0, err
		}
		if used, err = r.used(); err != nil {
			return 0, err
		}
		if deleted {
			factor = 1
		} else if factor *= 2; share == 1 {
			break // what is left may not be deleted
		}
	}
	return used, nil
}

// deleteOld deletes the records before the first one that is young enough.
func (r retention) deleteOld(ctx context.Context) error {
	spans, err := r.spans(ctx)
	if err != nil {
		return err
	}
	young, err := r.admin.ListOffsetsAfterMilli(ctx, r.cfg.Now().Add(-r.cfg.MaxAge).UnixMilli(), topicsOf(spans)...)
	if err = errors.Join(err, young.Error()); err != nil {
		return fmt.Errorf("look for young records: %w", err)
	}
	for _, s := range spans {
		first, ok := young.Lookup(s.topic, s.partition)
		if !ok {
			continue
		}
		to := first.Offset
		if to < 0 {
			to = s.end
		}
		if _, err := r.deleteTo(s, to); err != nil {
			return err
		}
	}
	return nil
}

// deleteShare deletes the same share of every partition's records, the oldest ones.
func (r retention) deleteShare(ctx context.Context, share float64) (deleted bool, err error) {
	spans, err := r.spans(ctx)
	if err != nil {
		return false, err
	}
	for _, s := range spans {
		some, err := r.deleteTo(s, s.start+int64(share*float64(s.end-s.start)))
		if err != nil {
			return deleted, err
		}
		deleted = deleted || some
	}
	return deleted, nil
}

func (r retention) deleteTo(s span, to int64) (deleted bool, err error) {
	if to = s.limit(to); to == s.start {
		return false, nil
	}
	if err := r.cluster.DeleteRecords(s.topic, s.partition, to); err != nil {
		return false, fmt.Errorf("delete records of %s partition %d up to %d: %w", s.topic, s.partition, to, err)
	}
	return true, nil
}

// refuse makes the log read-only for the protected groups' topics while it is full, and writable again.
func (r retention) refuse(ctx context.Context, full bool) error {
	switch {
	case full && r.full == nil:
		topics, err := r.protectedTopics(ctx)
		if err != nil {
			return err
		}
		var faults []kfake.Fault
		for _, topic := range topics {
			faults = append(faults, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1})
		}
		if len(faults) > 0 {
			r.full = r.cluster.Fault(faults...)
			r.cfg.Logger.Error("the embedded log is full of records that are not processed yet: new ones are refused",
				"limit_bytes", r.cfg.MaxBytes, "groups", r.cfg.Protect)
		}
	case !full && r.full != nil:
		r.full.Remove()
		r.full = nil
		r.cfg.Logger.Info("the embedded log takes records again")
	}
	return nil
}

func (r retention) spans(ctx context.Context) ([]span, error) {
	starts, err := r.admin.ListStartOffsets(ctx)
	if err = errors.Join(err, starts.Error()); err != nil {
		return nil, fmt.Errorf("ask where the logs start: %w", err)
	}
	ends, err := r.admin.ListEndOffsets(ctx)
	if err = errors.Join(err, ends.Error()); err != nil {
		return nil, fmt.Errorf("ask where the logs end: %w", err)
	}
	groups, err := r.protected(ctx)
	if err != nil {
		return nil, err
	}
	var spans []span
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(end.Topic, end.Partition)
		if !ok || start.Offset >= end.Offset {
			return
		}
		s := span{end.Topic, end.Partition, start.Offset, end.Offset, end.Offset}
		for _, committed := range groups {
			if c, ok := committed.Lookup(s.topic, s.partition); ok && c.At >= 0 {
				s.floor = min(s.floor, c.At)
			}
		}
		spans = append(spans, s)
	})
	return spans, nil
}

func (r retention) protected(ctx context.Context) ([]kadm.OffsetResponses, error) {
	var all []kadm.OffsetResponses
	for _, group := range r.cfg.Protect {
		committed, err := r.admin.FetchOffsets(ctx, group)
		if err = errors.Join(err, committed.Error()); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("fetch the offsets of group %s: %w", group, err)
		}
		all = append(all, committed)
	}
	return all, nil
}

func (r retention) protectedTopics(ctx context.Context) ([]string, error) {
	groups, err := r.protected(ctx)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	var topics []string
	for _, committed := range groups {
		for topic := range committed {
			if !seen[topic] {
				seen[topic] = true
				topics = append(topics, topic)
			}
		}
	}
	return topics, nil
}

// used is what the records take on disk.
func (r retention) used() (total int64, err error) {
	err = filepath.WalkDir(filepath.Join(r.cfg.Dir, "log", "partitions"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				total += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a segment that was just deleted
		}
		return err
	})
	return total, err
}

func topicsOf(spans []span) []string {
	seen := make(map[string]bool)
	var topics []string
	for _, s := range spans {
		if !seen[s.topic] {
			seen[s.topic] = true
			topics = append(topics, s.topic)
		}
	}
	return topics
}
