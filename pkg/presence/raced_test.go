//go:build race

package presence

// raced: the race detector watches, which makes a count of commands take several times as long and tells nothing of it.
const raced = true
