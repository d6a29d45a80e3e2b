package socketio

import (
	"container/list"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// maxHops bounds how much of X-Forwarded-For is read: nobody has so many proxies of their own.
const maxHops = 32

// clientAddress is who a request of this header comes from. Where the peer is a trusted proxy, it is the rightmost
// address in X-Forwarded-For that is none: each proxy appends who it was called by, so what stands
// further left was written by somebody who is not trusted, and may be anything. What is no address ends
// the search too, at the proxy that let it pass. Other headers of the kind are not believed.
//
// The answer is not valid where the server has no address for the peer, as on a Unix socket.
func clientAddress(remote string, header http.Header, trusted []netip.Prefix) netip.Addr {
	peer, ok := parseHop(remote)
	if !ok || !within(peer, trusted) {
		return peer
	}
	forwarded := strings.Join(header.Values("X-Forwarded-For"), ",")
	for range maxHops {
		comma := strings.LastIndexByte(forwarded, ',')
		hop, ok := parseHop(strings.Trim(forwarded[comma+1:], " \t"))
		if !ok {
			return peer
		}
		if peer = hop; comma < 0 || !within(peer, trusted) {
			return peer
		}
		forwarded = forwarded[:comma]
	}
	return peer
}

// parseHop reads an address as servers and proxies write it: with a port or without. An IPv4 address
// in IPv6's clothes is one of IPv4, and a zone is nothing that a client may choose.
func parseHop(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.WithZone("").Unmap(), true
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// places counts connections by client address, and how fast they are opened. Its methods do nothing on nil, which is
// no limit.
type places struct {
	most   int
	opened Rate

	mu        sync.Mutex // guards what follows, and the places
	byAddress map[netip.Prefix]*place
	left      list.List // of *place: those that nobody has, the one left first in front
}

// maxLeft bounds the addresses that are remembered though they have no connection. Who has more than that gains nothing
// by one that is forgotten.
const maxLeft = 10_000

// place is one address's share.
type place struct {
	address netip.Prefix
	taken   int
	opened  meter
	left    *list.Element // nil while taken
}

// newPlaces allows so many connections per address; nil where that is 0.
func newPlaces(most int) *places {
	if most <= 0 {
		return nil
	}
	return &places{
		most: most, opened: Rate{PerSecond: max(float64(most)/10, 1), Burst: most}, byAddress: make(map[netip.Prefix]*place),
	}
}

// subscriber is what one customer of a network has, in bits: a whole /64 of IPv6, one address of IPv4.
func subscriber(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // fails for more bits than there are
	return p
}

// Why take has no place for a connection.
const (
	refusedCrowded = "address"
	refusedHasty   = "address rate"
)

// take gives one connection its place, which is to be left again, or says why there is none. Clients without an
// address are not counted.
func (p *places) take(addr netip.Addr, now time.Time) (at *place, refused string) {
	if p == nil || !addr.IsValid() {
		return nil, ""
	}
	key := subscriber(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	at = p.byAddress[key]
	if at == nil {
		at = &place{address: key}
		p.byAddress[key] = at
	}
	if at.taken >= p.most {
		return nil, refusedCrowded
	}
	if !at.opened.spend(now, p.opened, 1) {
		return nil, refusedHasty
	}
	if at.left != nil {
		p.left.Remove(at.left)
		at.left = nil
	}
	at.taken++
	return at, ""
}

func (p *places) leave(at *place) {
	if p == nil || at == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(at)
}

func (p *places) leaveLocked(at *place) {
	if at.taken--; at.taken > 0 {
		return
	}
	at.left = p.left.PushBack(at)
	if p.left.Len() > maxLeft {
		delete(p.byAddress, p.left.Remove(p.left.Front()).(*place).address)
	}
}

// giveBack is leave for a connection that was not opened.
func (p *places) giveBack(at *place) {
	if p == nil || at == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at.opened.spent--
	p.leaveLocked(at)
}
