import type { Message, User } from "../src/client/protocol";
import { FakeSocket } from "./fakes";

interface Room {
  id: string;
  messages: Message[];
  read: Map<string, number>;
}

/** As much of a gateway as one client can tell apart from a real one: sockets, rooms, history. */
export class FakeGateway {
  readonly sockets: FakeSocket[] = [];
  readonly requests: string[] = [];
  readonly rooms = new Map<string, Room>();
  /** No connection is accepted while this is set. */
  down = false;
  /** Sends are stored, but their acknowledgements are lost. */
  losesAcks = false;
  /** Rebroadcasts are lost. */
  losesMessages = false;
  replayLimit = 1000;
  /** Answers from the history are held until these resolve, first come first held. */
  readonly slow: Promise<void>[] = [];
  /** Told with every join where it is set. */
  readSeqs: Record<string, number> | undefined;
  /** What to answer to an event instead. */
  refuse: ((event: string) => { error: string; code: string } | undefined) | undefined;
  private readonly joined = new Set<string>();
  private ids = 0;

  constructor(
    readonly me: User,
    readonly peer: User,
  ) {}

  room(id: string): Room {
    const room = this.rooms.get(id) ?? { id, messages: [], read: new Map<string, number>() };
    this.rooms.set(id, room);
    return room;
  }

  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  readonly connect = (_: string, token: string): FakeSocket => {
    const socket = new FakeSocket(token);
    this.sockets.push(socket);
    this.joined.clear();
    socket.respond = (event, payload) => this.answer(socket, event, payload);
    queueMicrotask(() => {
      if (this.down) socket.deliver("connect_error", new Error("refused"));
      else socket.deliver("connect");
    });
    return socket;
  };

  /** The network cuts the client off. */
  cut(): void {
    this.joined.clear();
    this.socket.deliver("disconnect", "transport close");
  }

  /** Somebody writes. */
  write(room: string, sender: User, message: string, more: Partial<Message> = {}): Message {
    const r = this.room(room);
    const m: Message = {
      id: `m${++this.ids}`,
      conversationId: room,
      seq: r.messages.length + 1,
      senderId: sender.id,
      sender,
      message,
      attachmentUrls: [],
      createdAt: new Date(1_767_268_800_000 + this.ids * 1000).toISOString(),
      ...more,
    };
    r.messages.push(m);
    r.read.set(sender.id, m.seq);
    if (this.losesMessages) return m;
    if (this.joined.has(room)) this.socket.deliver("new:message", m);
    else if (sender.id !== this.me.id && this.sockets.length > 0) {
      this.socket.deliver("message:notification", { conversationId: room, messageId: m.id, seq: m.seq, preview: message, sender, timestamp: Date.parse(m.createdAt) });
    }
    return m;
  }

  readonly fetch = (async (input: URL) => {
    const url = new URL(input);
    this.requests.push(url.pathname + url.search);
    if (this.down) throw new TypeError("fetch failed");
    if (url.pathname === "/v1/conversations") return Response.json({ conversations: [...this.rooms.values()].map((r) => this.listed(r)), next: null });
    const id = url.pathname.split("/")[3]!;
    const messages = this.page(this.room(id).messages, url.searchParams);
    await this.slow.shift();
    return Response.json({ messages, next: null });
  }) as typeof globalThis.fetch;

  private page(messages: Message[], query: URLSearchParams): Message[] {
    const limit = Number(query.get("limit"));
    const after = query.get("afterSeq");
    if (after !== null) return messages.filter((m) => m.seq > Number(after)).slice(0, limit);
    const before = Number(query.get("beforeSeq") ?? Infinity);
    return messages.filter((m) => m.seq < before).slice(-limit);
  }

  private listed(r: Room) {
    const readSeq = r.read.get(this.me.id) ?? 0;
    const last = r.messages.at(-1);
    return {
      id: r.id,
      members: [this.me, this.peer].map((u) => ({ userId: u.id, username: u.username })),
      metadata: {},
      lastSeq: r.messages.length,
      lastMessage: last ?? null,
      readSeq,
      unread: r.messages.length - readSeq,
      activityAt: last?.createdAt ?? "2026-01-01T00:00:00.000Z",
      createdAt: "2026-01-01T00:00:00.000Z",
    };
  }

  private answer(socket: FakeSocket, event: string, p: { conversationId: string; afterSeq?: number; message?: string; clientMessageId?: string; messageId?: string }): unknown {
    const refusal = this.refuse?.(event);
    if (refusal) return { ok: false, ...refusal };
    switch (event) {
      case "join:conversation": {
        const r = this.room(p.conversationId);
        const missed = r.messages.length - (p.afterSeq ?? r.messages.length);
        const recovered = missed <= this.replayLimit;
        socket.deliver("joined:conversation", { conversationId: r.id, lastSeq: r.messages.length, readSeq: r.read.get(this.me.id) ?? 0, recovered, missed, ...(this.readSeqs ? { readSeqs: this.readSeqs } : {}) });
        if (recovered && !this.losesMessages) for (const m of r.messages.slice(p.afterSeq ?? r.messages.length)) socket.deliver("new:message", m);
        this.joined.add(r.id);
        return { ok: true };
      }
      case "leave:conversation":
        this.joined.delete(p.conversationId);
        return { ok: true };
      case "send:message": {
        const r = this.room(p.conversationId);
        if (!this.joined.has(r.id)) return { ok: false, error: "join the conversation first", code: "not_joined" };
        const known = r.messages.find((m) => m.clientMessageId === p.clientMessageId);
        const m = known ?? this.write(r.id, this.me, p.message ?? "", { clientMessageId: p.clientMessageId! });
        return this.losesAcks ? undefined : { ok: true, messageId: m.id, conversationId: r.id, clientMessageId: p.clientMessageId, createdAt: m.createdAt };
      }
      default:
        return { ok: true };
    }
  }
}
