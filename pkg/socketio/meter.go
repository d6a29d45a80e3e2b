package socketio

import "time"

// meter is a Rate's token bucket in little memory. Its zero value is full.
type meter struct {
	at    int64   // when spent was so, in Unix nanoseconds
	spent float64 // tokens
}

// spend takes tokens; false where there are not so many.
func (m *meter) spend(now time.Time, r Rate, tokens float64) bool {
	at := now.UnixNano()
	m.spent = max(0, m.spent-float64(max(0, at-m.at))/1e9*r.PerSecond) // clocks are put back at times
	m.at = at
	if m.spent+tokens > float64(r.Burst) {
		return false
	}
	m.spent += tokens
	return true
}
