// Package chat is the vocabulary of Dozaar: ids, messages, conversations, marks, limits and errors.
//
// Every other package speaks in these types. The package does no I/O, knows no engine, and imports
// nothing but the standard library and google/uuid. What is valid is decided here and nowhere else.
package chat
