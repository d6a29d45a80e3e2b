package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
)

// draw is the kinds that are meant: all, some by name, or so many by the seed. Those on the same engines come together.
func draw(want string, seed uint64) ([]kind, error) {
	all := kinds()
	possible := slices.DeleteFunc(slices.Clone(all), func(k kind) bool { return k.root && os.Geteuid() != 0 })
	if n := len(all) - len(possible); n > 0 {
		say("not root: %d of %d kinds are not possible", n, len(all))
	}
	if want == "all" {
		return possible, nil
	}
	if n, err := strconv.Atoi(want); err == nil {
		if n < 1 || n > len(possible) {
			return nil, fmt.Errorf("there are %d kinds", len(possible))
		}
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(possible), func(i, j int) { possible[i], possible[j] = possible[j], possible[i] })
		return together(possible[:n]), nil
	}
	var drawn []kind
	for name := range strings.SplitSeq(want, ",") {
		i := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no kind %q; -list tells what there is", name)
		}
		drawn = append(drawn, all[i])
	}
	return together(drawn), nil
}

func together(kinds []kind) []kind {
	slices.SortStableFunc(kinds, func(a, b kind) int { return cmp.Compare(a.set, b.set) })
	return kinds
}

func names(kinds []kind) (all []string) {
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return all
}
