package deliver

import (
	"context"
	"errors"
	"testing"
)

// Whichever of them fails, also the one that the caller's goroutine does, ends the others, and its error is the answer.
func TestBesideEndsWithItsFirstError(t *testing.T) {
	failure := errors.New("failed")
	fail := func(context.Context) error { return failure }
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, all := range [][]func(context.Context) error{{fail}, {fail, wait}, {wait, fail}, {wait, fail, wait}} {
		if err := beside(t.Context(), all...); !errors.Is(err, failure) {
			t.Errorf("of %d: %v", len(all), err)
		}
	}
}
