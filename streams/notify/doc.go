// Package notify is the role that finds members whom a message has not reached, so that the marketplace can call them: by a
// push, an e-mail, whatever it has.
//
//	chat.messages ─► Due ─► chat.notifications ─► Webhook ─► the marketplace
//
// Due reads the messages a while after they were sent. A member for whom one waits is one who has no device
// online, with whom none came online since, who has not read it and has not muted the conversation. For such a member it
// makes a record, the first time in a stretch of unread messages and no more until they have read (or, if it is told to, again
// after a time). Whoever likes reads the records; Webhook posts them, signed.
//
// It promises that a message is looked at once it is that old, also after a crash: a record's offset is committed when all
// of its members were seen to. So a notification may come twice, with the same id, but is not lost. Where it cannot learn what it needs it waits, and
// with it its partition; what is older than MaxAge by then is passed over, because a call that late helps
// nobody. A group that is new begins with what is sent from now on. A device at a gateway that has died is none, though its
// lease lasts for minutes: a gateway that does not register any more is dead after fifteen seconds.
//
// It does not promise that a member is called who was there when it looked and left without reading: the
// next message does that.
package notify
