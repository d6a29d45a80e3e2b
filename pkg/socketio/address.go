package socketio

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
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

// places counts connections by client address. Its methods do nothing on nil, which is no limit.
type places struct {
	most int

	mu        sync.Mutex // guards byAddress and what it holds
	byAddress map[netip.Prefix]*place
}

// place is one address's share.
type place struct {
	address netip.Prefix
	taken   int
}

// newPlaces allows so many connections per address; nil where that is 0.
func newPlaces(most int) *places {
	if most <= 0 {
		return nil
	}
	return &places{most: most, byAddress: make(map[netip.Prefix]*place)}
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

// take gives one connection its place, which is to be left again; false where there is none. Clients
// without an address are not counted.
func (p *places) take(addr netip.Addr) (*place, bool) {
	if p == nil || !addr.IsValid() {
		return nil, true
	}
	key := subscriber(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.byAddress[key]
	if at == nil {
		at = &place{address: key}
		p.byAddress[key] = at
	}
	if at.taken >= p.most {
		return nil, false
	}
	at.taken++
	return at, true
}

func (p *places) leave(at *place) {
	if p == nil || at == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.taken--; at.taken == 0 {
		delete(p.byAddress, at.address)
	}
}
