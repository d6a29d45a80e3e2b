import { Api } from "./api";
import { realClock, type Clock } from "./clock";
import { Drafts, type Store } from "./drafts";
import { Emitter } from "./emitter";
import { asChatError, type ChatError } from "./errors";
import { Inbox } from "./inbox";
import { Link, type LinkStatus } from "./link";
import { LiveConversation } from "./live";
import { Presence } from "./presence";
import type { Exception, Notification, User } from "./protocol";
import { connectWith, type Connect } from "./socket";
import { readToken, Tokens } from "./token";

export interface ClientOptions {
  /** The gateway's origin: https://chat.example.com */
  gateway: string;
  /** Gives a token with time left; asked again before it runs out and after a refusal. */
  token: () => Promise<string>;
  /** Where unsent messages survive a reload; without it they do not. */
  store?: Store;
  /** How a socket is made; by default the official client. */
  connect?: Connect;
  fetch?: typeof globalThis.fetch;
  clock?: Clock;
  random?: () => number;
}

interface ClientEvents {
  status: LinkStatus;
  /** The list of conversations changed: order, last message, unread, members. */
  inbox: void;
  /** Somebody wrote in a conversation that is not open here. */
  notification: Notification;
  /** Somebody came or went. */
  presence: { userId: string };
  /** The server refused something. */
  exception: Exception;
  /** Something that the client does by itself did not work, and will be tried again. */
  trouble: ChatError;
}

/**
 * A user of the chat. `DozaarClient.open` signs in, `start` connects and keeps connected; then
 * `inbox` is the list, `conversation(id)` one of them, and every change is told by an event.
 */
export class DozaarClient extends Emitter<ClientEvents> {
  readonly inbox: Inbox;
  readonly presence: Presence;
  private readonly link: Link;
  private readonly api: Api;
  private readonly drafts: Drafts;
  private readonly clock: Clock;
  private readonly live = new Map<string, LiveConversation>();

  /** Asks for a first token, to know who the user is. */
  static async open(options: ClientOptions): Promise<DozaarClient> {
    const tokens = new Tokens(options.token, options.clock ?? realClock);
    return new DozaarClient(options, tokens, readToken(await tokens.get()).user);
  }

  private constructor(
    private readonly options: ClientOptions,
    tokens: Tokens,
    readonly user: User,
  ) {
    super();
    this.clock = options.clock ?? realClock;
    const get = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.api = new Api(options.gateway, tokens, get);
    this.link = new Link(options.gateway, tokens, options.connect ?? connectWith(), this.clock, options.random);
    this.drafts = new Drafts(options.store, user.id);
    this.inbox = new Inbox(this.api, () => this.inboxChanged());
    this.presence = new Presence(this.link, this.clock, (userId) => this.fire("presence", { userId }));
    this.route();
    for (const id of this.drafts.conversations) this.conversation(id); // what a reload interrupted goes on
  }

  get status(): LinkStatus {
    return this.link.status;
  }

  /** Connects, and comes back whenever the connection is lost. */
  start(): void {
    this.link.start();
  }

  /** Disconnects, and stays so until `start`. What is written meanwhile goes out then. */
  stop(): void {
    this.link.stop();
  }

  /** Does not wait for the next try. */
  retryNow(): void {
    this.link.retryNow();
  }

  /** The conversation of this id, the same object each time. Nothing is joined until its `join`. */
  conversation(id: string): LiveConversation {
    const known = this.live.get(id);
    if (known) return known;
    const made = new LiveConversation({
      id,
      me: this.user,
      link: this.link,
      api: this.api,
      clock: this.clock,
      random: this.options.random,
      restored: this.drafts.of(id),
      save: (pending) => this.drafts.keep(id, pending),
    });
    this.live.set(id, made);
    made.on("change", () => this.inbox.read(id, made.marks.mine));
    return made;
  }

  private route(): void {
    const { link } = this;
    link.on("status", (status) => this.statusChanged(status));
    link.on("joined:conversation", (j) => this.live.get(j.conversationId)?.onJoined(j));
    link.on("new:message", (m) => {
      this.inbox.heard(m);
      this.live.get(m.conversationId)?.onMessage(m);
    });
    link.on("message:notification", (n) => {
      const heard = this.inbox.notified(n);
      if (heard === "known") return;
      if (heard === "stranger") this.refresh(); // a conversation made since the list was read
      this.fire("notification", n);
    });
    link.on("message:read", (r) => {
      if (r.readBy === this.user.id) this.inbox.read(r.conversationId, r.seq);
      this.live.get(r.conversationId)?.onRead(r);
    });
    link.on("user:typing", (t) => this.live.get(t.conversationId)?.onTyping(t.userId, true));
    link.on("user:stopped_typing", (t) => this.live.get(t.conversationId)?.onTyping(t.userId, false));
    link.on("exception", (e) => this.fire("exception", e));
  }

  private statusChanged(status: LinkStatus): void {
    if (status.state === "online") {
      this.refresh();
      for (const c of this.live.values()) c.connected();
    } else {
      for (const c of this.live.values()) c.disconnected();
    }
    this.fire("status", status);
  }

  private refresh(): void {
    this.inbox.refresh().catch((error: unknown) => {
      this.fire("trouble", asChatError(error));
      this.clock.after(5_000, () => this.link.online && this.refresh());
    });
  }

  private inboxChanged(): void {
    this.presence.watch(this.inbox.conversations.flatMap((c) => c.members.map((m) => m.userId).filter((id) => id !== this.user.id)));
    this.fire("inbox", undefined);
  }
}
