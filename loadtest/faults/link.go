package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// link leads out of a network namespace in which a process runs: a tun device in there, one out here, and this program
// between them, which hands on IP packets, or does not. So TCP itself sees delay, loss and silence, as it does on a
// bad network, and needs no help of the kernel but tun: netem is not everywhere. The loopback of the namespace is down
// and 127.0.0.0/8 leads to the link: the engines are reached at the addresses that they advertise, and know nothing of it.
type link struct {
	netns     string
	near, far string // addresses: out here, and of the process
	devices   [2]*os.File
	pumps     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	cut   bool
	delay time.Duration
	loss  float64
	only  map[uint16]bool // the ports that it is about; nil: all but open
	open  map[uint16]bool // ports of the process, which clients reach as ever
}

// packet waits to be handed on.
type packet struct {
	bytes []byte
	at    time.Time
}

const mtu = 1500

func newLink(ctx context.Context) (*link, error) {
	n := os.Getpid() % 250
	l := &link{netns: fmt.Sprintf("dozaar-%d", os.Getpid()), near: fmt.Sprintf("10.213.%d.1", n), far: fmt.Sprintf("10.213.%d.2", n), open: map[uint16]bool{}}
	devices := [2]string{fmt.Sprintf("dzn%d", os.Getpid()), fmt.Sprintf("dzf%d", os.Getpid())}
	for i, name := range devices {
		file, err := tun(name)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.devices[i] = file
	}
	in := "netns exec " + l.netns + " "
	for _, args := range []string{
		"netns add " + l.netns,
		"link set " + devices[1] + " netns " + l.netns,
		"addr add " + l.near + "/30 dev " + devices[0],
		"link set " + devices[0] + " up",
		in + "ip addr add " + l.far + "/30 dev " + devices[1],
		in + "ip link set " + devices[1] + " up",
		in + "ip route add 127.0.0.0/8 dev " + devices[1],
		in + "sysctl -q net.ipv4.conf.all.route_localnet=1",
	} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput(); err != nil { //nolint:gosec // words of this function
			return nil, errors.Join(fmt.Errorf("ip %s: %w: %s", args, err, out), l.close())
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+devices[0]+"/route_localnet", []byte("1"), 0o600); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.pump(l.devices[0], l.devices[1])
	l.pump(l.devices[1], l.devices[0])
	return l, nil
}

// tun opens a new device.
func tun(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tun device %s: %w", name, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// close takes the namespace and the devices away. The process must have ended.
func (l *link) close() error {
	for _, device := range l.devices {
		if device != nil {
			_ = device.Close()
		}
	}
	l.pumps.Wait()
	if _, err := os.Stat("/var/run/netns/" + l.netns); err != nil {
		return nil
	}
	return exec.Command("ip", "netns", "del", l.netns).Run() //nolint:gosec,noctx // it is done at once
}

// put has a process run behind the link.
func (l *link) put(one *process) error {
	one.netns = l.netns
	for _, address := range []*string{&one.listen, &one.admin} {
		_, port, err := net.SplitHostPort(*address)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return err
		}
		l.open[uint16(n)] = true
		*address = net.JoinHostPort(l.far, port)
	}
	return nil
}

// set makes the link bad, or well again. Ports are those of engines; without any, it is about all.
func (l *link) set(cut bool, delay time.Duration, loss float64, ports ...uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.delay, l.loss, l.only = cut, delay, loss, nil
	if len(ports) > 0 {
		l.only = map[uint16]bool{}
		for _, p := range ports {
			l.only[p] = true
		}
	}
}

// fate is what becomes of a packet: is it handed on, and when.
func (l *link) fate(b []byte) (delay time.Duration, dropped bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := int(b[0]&0xf) * 4
	if b[0]>>4 != 4 || len(b) < head+4 {
		return 0, true // not IPv4
	}
	from, to := binary.BigEndian.Uint16(b[head:]), binary.BigEndian.Uint16(b[head+2:])
	switch {
	case l.open[from] || l.open[to], l.only != nil && !l.only[from] && !l.only[to]:
		return 0, false
	case l.cut || l.loss > 0 && rand.Float64() < l.loss:
		return 0, true
	}
	return l.delay, false
}

// pump hands packets on, in their order.
func (l *link) pump(in, out *os.File) {
	late := make(chan packet, 10_000) // more than fits is lost, as in a router
	l.pumps.Go(func() {
		defer close(late)
		for {
			b := make([]byte, mtu)
			n, err := in.Read(b)
			if err != nil {
				return
			}
			delay, dropped := l.fate(b[:n])
			switch {
			case dropped:
			case delay == 0:
				_, _ = out.Write(b[:n])
			default:
				select {
				case late <- packet{b[:n], time.Now().Add(delay)}:
				default:
				}
			}
		}
	})
	l.pumps.Go(func() {
		for p := range late {
			time.Sleep(time.Until(p.at))
			_, _ = out.Write(p.bytes)
		}
	})
}

// networkKinds are those that need a link.
func networkKinds() (all []kind) {
	const away, slow, loss = 30 * time.Second, 200 * time.Millisecond, 0.02
	for _, role := range []string{gateway, deliver, presence} {
		all = append(all,
			networkKind("cut-"+role, role, fmt.Sprintf("one %s of two cut off from all engines for %s", role, away), "packets of "+role+"-1 are dropped",
				func(s *stage) error { s.link.set(true, 0, 0); return nil }),
			networkKind("slow-"+role, role, fmt.Sprintf("one %s of two reaches the engines %s later each way, and loses %g%% of the packets, for %s", role, slow, 100*loss, away), "packets of "+role+"-1 are late and lost",
				func(s *stage) error { s.link.set(false, slow, loss); return nil }))
		if role == presence {
			continue
		}
		for _, engine := range []string{"KAFKA_BROKERS", "CASSANDRA_HOSTS", "REDIS_ADDRS"} {
			name, _, _ := strings.Cut(strings.ToLower(engine), "_")
			all = append(all, networkKind("cut-"+role+"-"+name, role, fmt.Sprintf("one %s of two cut off from %s alone for %s", role, name, away), "packets between "+role+"-1 and "+name+" are dropped",
				func(s *stage) error {
					ports, err := s.engines.ports("DOZAAR_" + engine)
					s.link.set(true, 0, 0, ports...)
					return err
				}))
		}
	}
	return all
}

// networkKind has the role's first process run behind a link, which is bad for a while.
func networkKind(name, role, what, told string, bad func(*stage) error) kind {
	return kind{
		name: name, set: single, what: what, root: true, losesConflicts: true,
		total: name != "cut-deliver" && name != "cut-deliver-kafka" && role != presence,
		before: func(ctx context.Context, s *stage) (err error) {
			if s.link, err = newLink(ctx); err != nil {
				return err
			}
			s.undo(s.link.close)
			if err := s.link.put(s.product.named(role + "-1")); err != nil {
				return err
			}
			return s.engines.redis(ctx, "CONFIG SET protected-mode no") // it listens on the loopback alone, and is reached from elsewhere
		},
		do: func(ctx context.Context, s *stage) error {
			s.fault("%s", told)
			return s.doAll(ctx, func() error { return bad(s) }, s.pause(ctx, pause), func() error { s.link.set(false, 0, 0); return nil }, s.healed("the network is well"))
		},
	}
}
