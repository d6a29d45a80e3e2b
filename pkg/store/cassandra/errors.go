package cassandra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// ErrSchema says that the keyspace lacks tables that this program needs. Migrate makes them.
var ErrSchema = errors.New("the keyspace is not ready for this program; run `dozaar migrate`")

// ErrRefused says that the cluster is there and does not take our name and password, or that we do not take its
// certificate.
var ErrRefused = errors.New("the cluster does not let us in, or is not the one it should be")

// refused reads it from the text: the driver passes on nothing else of why a session could not be made.
func refused(err error) bool {
	text := err.Error()
	for _, why := range []string{"and/or password are incorrect", "authentication required", "tls: failed to verify certificate"} {
		if strings.Contains(text, why) {
			return true
		}
	}
	return false
}

// measure runs an operation under its name and gives its error that name and its sentinel.
func (s *Store) measure(ctx context.Context, operation string, run func() error) error {
	return s.operations.Measure(operation, func() error {
		err := ctx.Err()
		if err == nil {
			err = run()
		}
		return classify(ctx, operation, err)
	})
}

func classify(ctx context.Context, operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		err = ctx.Err() // what the driver says of an interrupted request is noise
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", chat.ErrUnavailable, ctx.Err())
	case transient(err):
		err = fmt.Errorf("%w: %w", chat.ErrUnavailable, err)
	}
	return fmt.Errorf("cassandra: %s: %w", operation, err)
}

// transient tells what may pass by itself or by an operator's hand from what is this program's own fault, such as
// a statement that is wrong.
func transient(err error) bool {
	if answer, ok := errors.AsType[gocql.RequestError](err); ok {
		switch answer.Code() {
		case gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping, gocql.ErrCodeTruncate,
			gocql.ErrCodeWriteTimeout, gocql.ErrCodeReadTimeout, gocql.ErrCodeWriteFailure, gocql.ErrCodeReadFailure,
			gocql.ErrCodeCDCWriteFailure, gocql.ErrCodeCASWriteUnknown, gocql.ErrCodeServer,
			gocql.ErrCodeCredentials, gocql.ErrCodeUnauthorized:
			return true
		}
		return false
	}
	for _, known := range []error{
		gocql.ErrNoConnections, gocql.ErrNoConnectionsStarted, gocql.ErrConnectionClosed, gocql.ErrSessionClosed, gocql.ErrTimeoutNoResponse,
		gocql.ErrTooManyTimeouts, gocql.ErrUnavailable, gocql.ErrHostQueryFailed, gocql.ErrNoStreams, gocql.ErrNoHosts,
		context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, errContended,
		context.Canceled, // a connection's own: the caller's is told apart before
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	// Cassandra answers a request that waited for too long without the request's number. The driver then closes the
	// connection, and this, which has no name outside, is what it tells all that waited there.
	if fmt.Sprintf("%T", err) == "*gocql.protocolError" {
		return true
	}
	var network net.Error
	return errors.As(err, &network)
}

// undecided says that a lightweight transaction lost its way among others; it may have been applied.
func undecided(err error) bool {
	if errors.Is(err, errContended) {
		return true
	}
	answer, ok := errors.AsType[gocql.RequestError](err)
	return ok && (answer.Code() == gocql.ErrCodeWriteTimeout || answer.Code() == gocql.ErrCodeReadTimeout ||
		answer.Code() == gocql.ErrCodeCASWriteUnknown)
}
