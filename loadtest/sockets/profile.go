package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// site is a place in the code and what was allocated there and is still in use.
type site struct {
	Where string  `json:"where"`
	Bytes float64 `json:"bytes"`
}

// allocationSites is all that the process has on its heap, by where it was allocated. It is exact
// where every allocation was recorded.
func allocationSites() []site {
	runtime.GC()
	runtime.GC() // the profile is as of the collection before the last
	records := make([]runtime.MemProfileRecord, 0)
	for n, ok := runtime.MemProfile(nil, false); !ok; {
		records = make([]runtime.MemProfileRecord, n+64)
		if n, ok = runtime.MemProfile(records, false); ok {
			records = records[:n]
		}
	}
	sum := make(map[string]float64)
	for i := range records {
		sum[whereabouts(records[i].Stack())] += float64(records[i].InUseBytes())
	}
	sites := make([]site, 0, len(sum))
	for where, bytes := range sum {
		sites = append(sites, site{where, bytes})
	}
	slices.SortFunc(sites, func(a, b site) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Where, b.Where))
	})
	return sites
}

// whereabouts names the line that allocated, outside of the runtime and its helpers, and the nearest of ours that led to it.
func whereabouts(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	where := ""
	for {
		f, more := frames.Next()
		ours := strings.Contains(f.Function, "/pkg/socketio.")
		if where == "" && !strings.HasPrefix(f.Function, "runtime.") && !strings.HasPrefix(f.Function, "internal/") && f.Function != "" {
			where = fmt.Sprintf("%s (%s:%d)", short(f.Function), filepath.Base(f.File), f.Line)
		} else if where != "" && ours {
			return where + " ← " + short(f.Function)
		}
		if where != "" && ours || !more {
			return cmp.Or(where, "the runtime: descriptors of goroutines")
		}
	}
}

func short(function string) string {
	return function[strings.LastIndexByte(function, '/')+1:]
}

// breakdown is where the memory of idle connections is, in bytes each.
type breakdown struct {
	count                                              int
	rss, heap, stacks, fragments, idle, metadata, slab float64
	sites                                              []site
}

// takeApart measures idle connections of ours: once as they are, once with every allocation recorded.
func takeApart(ctx context.Context, count int) (b breakdown, err error) {
	b.count = count
	each := func(after, before float64) float64 { return (after - before) / float64(count) }
	err = compare(ctx, count, nil, func(p *pair) (func() error, error) {
		before, rss, err := p.observe()
		if err != nil {
			return nil, err
		}
		slab := kernelBytes()
		return func() error {
			after, rssAfter, err := p.observe()
			b.rss, b.heap = each(rssAfter, rss), each(after.Heap, before.Heap)
			b.stacks, b.idle = each(after.Stacks, before.Stacks), each(after.Idle, before.Idle)
			b.fragments = each(after.InSpans-after.Heap, before.InSpans-before.Heap)
			b.metadata = each(after.Metadata, before.Metadata)
			b.slab = each(kernelBytes(), slab) / 2 // the client's end is in there too
			return err
		}, err
	})
	if err != nil {
		return b, err
	}
	return b, compare(ctx, count, []string{"-exact"}, func(p *pair) (func() error, error) {
		var before []site
		err := p.server.ask(command{Do: "sites"}, &before)
		return func() error {
			err := p.server.ask(command{Do: "sites"}, &b.sites)
			was := make(map[string]float64)
			for _, s := range before {
				was[s.Where] = s.Bytes
			}
			for i := range b.sites {
				b.sites[i].Bytes = each(b.sites[i].Bytes, was[b.sites[i].Where])
			}
			slices.SortFunc(b.sites, func(x, y site) int { return cmp.Compare(y.Bytes, x.Bytes) })
			return err
		}, err
	})
}

// compare looks at a server of ours before and after count connections came.
func compare(ctx context.Context, count int, flags []string, look func(*pair) (func() error, error)) (err error) {
	p, err := startPair(ctx, "layer", flags...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if _, err := p.connect(warmUp); err != nil {
		return err
	}
	if err := p.leave(time.Second); err != nil {
		return err
	}
	again, err := look(p)
	if err != nil {
		return err
	}
	if _, err := p.connect(count); err != nil {
		return err
	}
	time.Sleep(time.Second)
	if err := p.server.ask(command{Do: "collect"}, &struct{}{}); err != nil {
		return err
	}
	return again()
}

func printBreakdown(ctx context.Context, out io.Writer, p plan) error {
	text, err := memoryBreakdown(ctx, p)
	fmt.Fprint(out, text)
	return err
}

// memoryBreakdown is the breakdown as text.
func memoryBreakdown(ctx context.Context, p plan) (string, error) {
	b, err := takeApart(ctx, p.idle[0])
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "| bytes per idle connection of ours, %d of them, after a collection | |\n|---|--:|\n", b.count)
	for _, line := range []struct {
		name  string
		bytes float64
	}{
		{"RSS", b.rss},
		{"· objects on the heap", b.heap},
		{"· stacks of goroutines", b.stacks},
		{"· gaps in heap pages that hold objects", b.fragments},
		{"· heap pages kept though empty", b.idle},
		{"· the Go runtime's records", b.metadata},
		{"· rest", b.rss - b.heap - b.stacks - b.fragments - b.idle - b.metadata},
		{"outside of RSS: the kernel's socket, file and poll records, one end", b.slab},
	} {
		fmt.Fprintf(&text, "| %s | %.0f |\n", line.name, line.bytes)
	}
	text.WriteString("\n| objects on the heap, by where they are allocated | bytes |\n|---|--:|\n")
	rest := 0.0
	for _, s := range b.sites {
		if s.Bytes < 24 {
			rest += s.Bytes
			continue
		}
		fmt.Fprintf(&text, "| `%s` | %.0f |\n", s.Where, s.Bytes)
	}
	fmt.Fprintf(&text, "| all others | %.0f |\n", rest)
	return text.String(), nil
}
