package observe

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// NewLogger returns a logger that writes one line per record to w. Format is "text" or "json", level
// "debug", "info", "warn" or "error". Both formats escape line breaks and control characters, so that
// what a stranger sends cannot forge a line. Of a message that repeats, only some are written (repeats).
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	min, err := ParseLevel(level)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: min}
	switch format {
	case "text":
		return slog.New(newRepeats(traced{slog.NewTextHandler(w, options)}, time.Now)), nil
	case "json":
		return slog.New(newRepeats(traced{slog.NewJSONHandler(w, options)}, time.Now)), nil
	}
	return nil, fmt.Errorf("log format %q: must be text or json", format)
}

// ParseLevel reads the name of a level.
func ParseLevel(name string) (slog.Level, error) {
	switch name {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log level %q: must be debug, info, warn or error", name)
}
