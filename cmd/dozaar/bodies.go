package main

import (
	"net/http"
	"time"
)

// bodyDeadline bounds how long a request's body may take to come, also where nobody wants it: before an early
// refusal is sent, net/http reads what it can of the body, for as long as that takes. Requests without a body
// have no deadline: a poll waits for what there is to tell.
func bodyDeadline(within time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within))
		}
		next.ServeHTTP(w, r)
	})
}
