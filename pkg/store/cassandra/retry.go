package cassandra

import (
	"context"

	"github.com/gocql/gocql"
)

// attempts is how often one request is sent at most. More than that is for the caller, who knows how long he
// may wait.
const attempts = 3

// retryPolicy sends a request that may pass elsewhere to the next host. It never asks for less than the
// configured consistency, and never repeats what is not idempotent: the driver itself does not look.
type retryPolicy struct{}

// Attempt implements gocql.RetryPolicy.
func (retryPolicy) Attempt(q gocql.RetryableQuery) bool {
	request, ok := q.(interface{ IsIdempotent() bool })
	return ok && request.IsIdempotent() && q.Attempts() < attempts && alive(q.Context())
}

// GetRetryType implements gocql.RetryPolicy.
func (retryPolicy) GetRetryType(err error) gocql.RetryType {
	if transient(err) {
		return gocql.RetryNextHost
	}
	return gocql.Rethrow
}

func alive(ctx context.Context) bool { return ctx == nil || ctx.Err() == nil }
