// Package e2e holds the whole product to its contract from outside: the real binary, the official
// JavaScript and Java clients, another one in Python, a real browser, clients that mean harm, and the proxies
// of deploy/ with two gateways behind them. It knows the product only by its command line, its ports and its topics.
//
// The product has one of two shapes. On embedded engines it is one process. Where the environment names engines
// (`source .engines/env`), each role runs on its own, two gateways and two delivers, and the clients that talk with each
// other are at different gateways. With DOZAAR_ENGINES_DIR the engines are those of engines.sh in that folder, and are killed too.
// No suite expects an empty store.
package e2e
