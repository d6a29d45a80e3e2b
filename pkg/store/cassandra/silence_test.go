package cassandra

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// conversing is a connection whose other end is asked, and takes so long to answer; a negative time is for ever.
func conversing(t *testing.T, answers time.Duration) (conn net.Conn, ask func() error, ended chan error) {
	ours, theirs := net.Pipe()
	conn = listen(ours, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { conn.Close(); theirs.Close() })
	go func() {
		for b := make([]byte, 1); ; {
			if _, err := theirs.Read(b); err != nil {
				return
			}
			if answers >= 0 {
				time.AfterFunc(answers, func() { _, _ = theirs.Write([]byte("!")) })
			}
		}
	}()
	ended = make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}()
	return conn, func() error { _, err := conn.Write([]byte("?")); return err }, ended
}

func TestSilenceEndsAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ask, ended := conversing(t, -1)
		time.Sleep(time.Hour) // nobody is asked, nothing is owed
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		err := <-ended
		if took := time.Since(asked); took != silence || !strings.Contains(err.Error(), "said nothing for 7s") || !transient(err) {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// The answer to one request is none to the next, though both fall into one tick.
func TestSilenceAfterAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		conn := listen(ours, slog.New(slog.DiscardHandler))
		defer conn.Close()
		defer theirs.Close()
		ask := func() {
			go func() { _, _ = conn.Write([]byte("?")) }()
			if _, err := theirs.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}
		ask()
		go func() { _, _ = theirs.Write([]byte("!")) }()
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		ask()
		asked := time.Now()
		_, err := conn.Read(make([]byte, 1))
		if took := time.Since(asked); err == nil || took > silence+silence/ticks {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

func TestWhoAnswersKeepsTheConnection(t *testing.T) {
	const heartbeat = 5 * time.Second // the driver's
	for name, c := range map[string]struct {
		asks           int
		every, answers time.Duration
	}{
		"at once":                              {100, heartbeat, 0},
		"soon":                                 {100, heartbeat, time.Second},
		"just in time":                         {100, heartbeat, silence - time.Millisecond},
		"once, and nobody asks again":          {1, time.Hour, time.Second / 2},
		"where each tick finds something owed": {200, 307 * time.Millisecond, 290 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, ask, ended := conversing(t, c.answers)
				for range c.asks {
					if err := ask(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(c.every)
				}
				select {
				case err := <-ended:
					t.Error(err)
				default:
				}
			})
		})
	}
}

// A connection that is closed is not listened to any more.
func TestNobodyListensToWhatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ask, ended := conversing(t, -1)
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if err := <-ended; strings.Contains(err.Error(), "said nothing") {
			t.Error(err)
		}
		conn.(*listening).onTick() // the tick that was on its way
		time.Sleep(time.Minute)
		if ask() == nil || conn.(*listening).silent.Load() {
			t.Error("it goes on")
		}
	})
}
