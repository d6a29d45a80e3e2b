// Package chat is the vocabulary of Dozaar: ids, messages, conversations, marks, limits and errors.
//
// Every other package speaks in these types. The package does no I/O, knows no engine, and imports
// nothing but the standard library, google/uuid, and rivo/uniseg, which knows what a reader sees as
// one character. What is valid is decided here and nowhere else.
package chat
