// Package observe is how a process tells what it does and how it is: its logger, its metrics registry,
// its health, the admin server that shows them, and the order in which its parts stop.
//
// It promises that nothing is global: no default logger, no default registry, no handler on
// http.DefaultServeMux. It knows nothing of chat.
package observe
