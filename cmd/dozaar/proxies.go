package main

import (
	"fmt"
	"net/netip"
)

// trustedProxies reads addresses and CIDRs. An address is a range of one.
func trustedProxies(list []string) ([]netip.Prefix, error) {
	var trusted []netip.Prefix
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("%q is no range of addresses; write 10.0.0.0/8, 192.0.2.7 or fd00::/8", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is a range of IPv4: write it as such", text)
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("%q is everybody: clients could say they are whoever they like", text)
		}
		trusted = append(trusted, p.Masked())
	}
	return trusted, nil
}
