package chat

import "context"

type traceKey struct{}

// WithTraceParent has what is published on behalf of ctx carry a W3C trace context's traceparent. One that is not in the
// form of version 00 or later (https://www.w3.org/TR/trace-context/#traceparent-header) is dropped, as that document
// says: whoever sent it is not told.
func WithTraceParent(ctx context.Context, traceparent string) context.Context {
	if !validTraceParent(traceparent) {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// TraceParent is what WithTraceParent kept, or "".
func TraceParent(ctx context.Context) string {
	traceparent, _ := ctx.Value(traceKey{}).(string)
	return traceparent
}

// maxTraceParent bounds what a later version may append.
const maxTraceParent = 128

// validTraceParent wants version, trace id, parent id and flags: lowercase hex of 2, 32, 16 and 2 digits, the ids not
// all zero, the version not ff. Only a later version may go on after the flags.
func validTraceParent(s string) bool {
	const whole = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(s) < whole || len(s) > maxTraceParent || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	if len(s) > whole && (s[:2] == "00" || s[whole] != '-') {
		return false
	}
	for _, part := range []string{s[:2], s[3:35], s[36:52], s[53:55]} {
		for _, c := range []byte(part) {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	for _, c := range []byte(s[min(len(s), whole):]) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s[:2] != "ff" && s[3:35] != zeros[:32] && s[36:52] != zeros[:16]
}

const zeros = "00000000000000000000000000000000"
