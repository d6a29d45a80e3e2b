// Package history is what clients saw of a chat, written down, and the judgement of it.
//
// A history is a sequence of events, each with the time of one clock, the clients' own. Whoever drives clients
// writes them with a Writer; Check reads them, from a file or from memory, and tells what promise was
// broken, by which events. It knows the product only by its contract: it imports nothing of it.
//
//	event.go      the vocabulary: Event and its kinds
//	format.go     an event as bytes
//	file.go       Writer and Open: a file that is only ever appended to
//	checker.go    Checker: events in, a Verdict out; who may see what
//	message.go      which sent message is this one, and is it that
//	sends.go        sends, answers, conflicts
//	view.go         what one device was shown of one conversation, as a cursor
//	heard.go        the same where a product numbers and keeps nothing
//	marks.go        read marks and unread counts
//	final.go        what is to be said once everything has been read back
//	verdict.go    Kind of finding by kind, JSON, a table
//	evidence.go   the second reading: the events that prove a finding
//
// It needs time linear in the events, and memory for each message, mark and device of a conversation, not
// for each delivery.
package history
