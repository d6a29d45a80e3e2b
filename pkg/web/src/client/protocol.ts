/**
 * The wire: every event of namespace `/chat` and every object of the HTTP API that the client uses. Their types are made
 * from the contracts (wire.gen.ts); here is what the client adds.
 *
 * Ids are UUIDs. `timestamp` and `lastSeen` are Unix milliseconds, `createdAt` and `activityAt` ISO 8601.
 * `seq` numbers the messages of one conversation 1, 2, 3 … without a gap.
 */

import type { Code as WireCode, Exception as WireException, InboxEntry, Refusal as WireRefusal, ServerEvents as WireServerEvents } from "./wire.gen";

export type { ClientEvents, Joined, Member, Message, Notification, PresenceEvent, ReadReceipt, Sent, Status, Typing, User } from "./wire.gen";

/** One conversation of the caller's list. */
export type Conversation = InboxEntry;

/** The closed list of error codes, and the client's own. */
export type Code =
  | WireCode
  /** There is no connection. */
  | "offline"
  /** No answer came in time; whether the server did it is not known. */
  | "timeout"
  /** The server could not be reached, or what answered is not Dozaar. */
  | "unreachable";

export type Refusal = Omit<WireRefusal, "code"> & { code: Code };

/** Every client event is answered by an acknowledgement of this shape. */
export type Ack<T = object> = ({ ok: true } & T) | Refusal;

export type Exception = Omit<WireException, "code"> & { code?: Code };

/** What the server emits: event → payload. */
export type ServerEvents = Omit<WireServerEvents, "exception"> & { exception: Exception };

export const serverEvents: readonly (keyof ServerEvents)[] = [
  "joined:conversation",
  "new:message",
  "message:notification",
  "message:read",
  "user:typing",
  "user:stopped_typing",
  "user:online",
  "user:offline",
  "online:status",
  "exception",
];

/** The contract's limits; characters are Unicode code points. */
export const limits = {
  messageChars: 10_000,
  attachments: 10,
  attachmentChars: 2_048,
  statusIds: 100,
} as const;
