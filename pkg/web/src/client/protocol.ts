/**
 * The wire: every event of namespace `/chat` and every object of the HTTP API that the client uses.
 *
 * Ids are UUIDs. `timestamp` and `lastSeen` are Unix milliseconds, `createdAt` and `activityAt` ISO 8601.
 * `seq` numbers the messages of one conversation 1, 2, 3 … without a gap.
 */

export interface User {
  id: string;
  username: string;
}

/** One message, as `new:message` and the history give it. */
export interface Message {
  id: string;
  conversationId: string;
  seq: number;
  senderId: string;
  sender: User;
  message: string;
  attachmentUrls: string[];
  clientMessageId?: string;
  createdAt: string;
}

export interface Member {
  userId: string;
  username: string;
  /** The marketplace's word: buyer, seller … */
  role?: string;
}

/** One conversation of the caller's list. */
export interface Conversation {
  id: string;
  members: Member[];
  /** Whatever the marketplace attached. */
  metadata?: Record<string, unknown> | null;
  lastSeq: number;
  lastMessage: Message | null;
  readSeq: number;
  unread: number;
  activityAt: string;
  createdAt: string;
}

/** The closed list of error codes; the last three are the client's own. */
export type Code =
  | "unauthorized"
  | "token_expired"
  | "forbidden"
  | "invalid"
  | "not_found"
  | "not_joined"
  | "conflict"
  | "too_large"
  | "rate_limited"
  | "unavailable"
  | "internal"
  /** There is no connection. */
  | "offline"
  /** No answer came in time; whether the server did it is not known. */
  | "timeout"
  /** The server could not be reached, or what answered is not Dozaar. */
  | "unreachable";

export interface Refusal {
  ok: false;
  error: string;
  code: Code;
  field?: string;
}

/** Every client event is answered by an acknowledgement of this shape. */
export type Ack<T = object> = ({ ok: true } & T) | Refusal;

export interface Exception {
  event: string;
  error: string;
  code?: Code;
  field?: string;
  /** Where it is about a message that was taken and then found in conflict. */
  conversationId?: string;
  clientMessageId?: string;
}

export interface Joined {
  conversationId: string;
  /** The newest message there is. */
  lastSeq: number;
  /** How far the caller has read. */
  readSeq: number;
  /** False: too much was missed to be replayed, read it from the history. */
  recovered: boolean;
  /** How many messages came after the `afterSeq` that was asked for. */
  missed: number;
  /** How far other members have read, by their ids; a server may leave it out. */
  readSeqs?: Record<string, number>;
}

export interface Notification {
  conversationId: string;
  messageId: string;
  seq: number;
  /** The first 100 characters. */
  preview: string;
  sender: User;
  timestamp: number;
}

export interface Typing {
  conversationId: string;
  userId: string;
}

export interface ReadReceipt {
  messageId: string;
  conversationId: string;
  seq: number;
  readBy: string;
  timestamp: number;
}

export interface PresenceEvent {
  userId: string;
  timestamp: number;
}

export interface Status {
  /** Null: unknown. */
  online: boolean | null;
  lastSeen?: number;
}

export interface Sent {
  messageId: string;
  conversationId: string;
  clientMessageId?: string;
  createdAt: string;
}

/** What the client emits: event → [payload, what a good acknowledgement carries]. */
export interface ClientEvents {
  "join:conversation": [{ conversationId: string; afterSeq?: number }, object];
  "leave:conversation": [{ conversationId: string }, object];
  "send:message": [{ conversationId: string; message?: string; attachmentUrls?: string[]; clientMessageId?: string }, Sent];
  "typing:start": [{ conversationId: string }, object];
  "typing:stop": [{ conversationId: string }, object];
  "mark:read": [{ messageId: string }, object];
  "get:online_status": [{ userIds: string[] }, object];
  "auth:refresh": [{ token: string }, object];
}

/** What the server emits: event → payload. */
export interface ServerEvents {
  "joined:conversation": Joined;
  "new:message": Message;
  "message:notification": Notification;
  "message:read": ReadReceipt;
  "user:typing": Typing;
  "user:stopped_typing": Typing;
  "user:online": PresenceEvent;
  "user:offline": PresenceEvent;
  "online:status": { statuses: Record<string, Status> };
  exception: Exception;
}

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
