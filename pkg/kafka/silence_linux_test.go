package kafka_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"golang.org/x/sys/unix"
)

// A dial that begins while a broker is silent does not wait, once it is back, for the kernel's next try: that one comes later and
// later. A publish of ten seconds that meets seven and a half of silence succeeds.
func TestBackFromSilence(t *testing.T) {
	t.Parallel()
	l := newLog(t, 1)
	silent := newSilent(t, l.broker.Addr())
	p := l.producer(func(c *kafka.ProducerConfig) { c.Brokers = []string{silent.address} })
	defer time.AfterFunc(7500*time.Millisecond, silent.heal).Stop()
	if err := p.PublishMessage(t.Context(), message(chat.NewID(), "hello")); err != nil {
		t.Errorf("a publish failed though the broker was back in time: %v", err)
	}
}

// What a publisher has stopped waiting for is delivered all the same: a client that gave it up, too, would write a request without it.
func TestDeliveredAfterSilence(t *testing.T) {
	t.Parallel()
	l := newLog(t, 1)
	silent := newSilent(t, l.broker.Addr())
	p := l.producer(func(c *kafka.ProducerConfig) { c.Brokers, c.DeliveryTimeout = []string{silent.address}, time.Second })
	if err := p.PublishMessage(t.Context(), message(chat.NewID(), "hello")); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("a publish into silence: %v; want ErrUnavailable", err)
	}
	time.Sleep(3 * time.Second) // a dial fails, and the record is older than its publisher would wait
	silent.heal()
	admin := l.admin()
	eventually(t, "the message is in the log", func() bool {
		ends, err := admin.ListEndOffsets(t.Context(), schemas.TopicMessages)
		end, _ := ends.Lookup(schemas.TopicMessages, 0)
		return err == nil && end.Offset == 1
	})
}

// silent is an address whose connections are not taken, nor refused, until it is healed. It then leads to another one.
type silent struct {
	address, far string
	listener     net.Listener
	open         sync.WaitGroup
}

func newSilent(t *testing.T, far string) *silent {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "silent")
	defer func() { _ = file.Close() }() // the listener has its own
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	s := &silent{far: far}
	if s.listener, err = net.FileListener(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.listener.Close()
		s.open.Wait()
	})
	s.address = s.listener.Addr().String()
	for {
		conn, err := net.DialTimeout("tcp", s.address, 200*time.Millisecond)
		if err != nil {
			return s // the queue is full
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

// heal takes connections from now on.
func (s *silent) heal() {
	s.open.Go(func() {
		for {
			near, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.open.Go(func() { s.join(near) })
		}
	})
}

// join hands on bytes between a connection and a new one to the other address, until either ends.
func (s *silent) join(near net.Conn) {
	far, err := net.Dial("tcp", s.far)
	if err != nil {
		_ = near.Close()
		return
	}
	copyTo := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = to.Close(), from.Close()
	}
	s.open.Go(func() { copyTo(near, far) })
	copyTo(far, near)
}
