package redistest

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// row is one row of the table of keys in docs/redis.md.
type row struct {
	pattern string
	matches *regexp.Regexp
	kind    string
}

// CheckKeys compares all keys of a Redis with the table in docs/redis.md: each must be in it, be of its type and have
// an end. It answers how many there are of each pattern; of a Redis that is away, none.
func CheckKeys(t testing.TB, client goredis.UniversalClient) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	table := documented(t)
	counts := map[string]int{}
	keys := slices.DeleteFunc(allKeys(ctx, client), func(key string) bool { return strings.HasSuffix(key, ":probe") }) // of Replicated
	pipe := client.Pipeline()
	ttls, kinds := make([]*goredis.DurationCmd, len(keys)), make([]*goredis.StatusCmd, len(keys))
	for i, key := range keys {
		ttls[i], kinds[i] = pipe.PTTL(ctx, key), pipe.Type(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, key := range keys {
		ends, err := ttls[i].Result()
		kind, kindErr := kinds[i].Result()
		if err != nil || kindErr != nil || kind == "none" || ends == -2 {
			continue // away, or over by now
		}
		if ends <= 0 {
			t.Errorf("%s has no end", key)
		}
		r := find(table, key)
		if r == nil {
			t.Errorf("%s is not in docs/redis.md", key)
			continue
		}
		if r.kind != kind {
			t.Errorf("%s is a %s, docs/redis.md says %s", key, kind, r.kind)
		}
		counts[r.pattern]++
	}
	for _, r := range table {
		counts[r.pattern] += 0
	}
	return counts
}

func find(table []row, key string) *row {
	for i := range table {
		if table[i].matches.MatchString(key) {
			return &table[i]
		}
	}
	return nil
}

// documented reads the table.
func documented(t testing.TB) (table []row) {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "docs", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text2, _ := strings.Cut(string(text), "| key | type |")
	text2, _, _ = strings.Cut(text2, "\n\n")
	for line := range strings.Lines(text2) {
		cells := strings.Split(line, "|")
		if len(cells) < 8 || !strings.Contains(cells[1], "`") {
			continue
		}
		pattern := strings.Trim(cells[1], " `")
		expression := regexp.QuoteMeta(pattern)
		for from, to := range map[string]string{`\{n\}`: `\{\d+\}`, `<id>`: `[0-9a-f-]{36}`, `<instance>`: `.+`} {
			expression = strings.ReplaceAll(expression, from, to)
		}
		table = append(table, row{pattern, regexp.MustCompile("^" + expression + "$"), strings.TrimSpace(cells[2])})
	}
	if len(table) == 0 {
		t.Fatal("docs/redis.md has no table of keys")
	}
	return table
}

// allKeys scans every node.
func allKeys(ctx context.Context, client goredis.UniversalClient) (keys []string) {
	var mu sync.Mutex
	scan := func(ctx context.Context, node goredis.Cmdable) error {
		for cursor := uint64(0); ; {
			part, next, err := node.Scan(ctx, cursor, "*", 1000).Result()
			if err != nil {
				return err
			}
			mu.Lock()
			keys = append(keys, part...)
			mu.Unlock()
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	if cluster, ok := client.(*goredis.ClusterClient); ok {
		_ = cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return scan(ctx, node) })
	} else {
		_ = scan(ctx, client)
	}
	return keys
}
