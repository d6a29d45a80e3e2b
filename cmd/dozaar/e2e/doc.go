// Package e2e holds the whole product to its contract from outside: the real binary, the official
// JavaScript client, a second client in Python, a real browser, clients that mean harm, and the proxies
// of deploy/ with two gateways behind them. It knows the product only by its command line and its ports.
package e2e
