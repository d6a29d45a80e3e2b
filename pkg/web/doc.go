// Package web is the page that `dozaar all --dev` serves at `/`: a buyer and a seller side by side,
// talking over two real sockets, and the session that lets the page start without a sign-in.
//
// The page is TypeScript (src/client is the typed client, src/page the user interface), bundled by
// `make build` into dist, which is embedded. Without the bundle the package still compiles and
// Handler says, in one plain page, how to build it.
//
// Handler promises that nothing but the bundle's own script ever runs, whatever a message says: a
// strict Content-Security-Policy, no sniffing of types, and text that is only ever set as text.
//
// DevSession gives tokens away to whoever asks. It is for --dev alone and must never be mounted in
// production; it knows no users but the two of the demonstration.
package web
