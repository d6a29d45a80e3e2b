import type { Api } from "./api";
import { CatchUp, type Phase } from "./catchup";
import type { Clock } from "./clock";
import { Emitter } from "./emitter";
import type { ChatError } from "./errors";
import type { Link } from "./link";
import { Marks } from "./marks";
import { Outbox, type Pending } from "./outbox";
import type { Joined, Message, ReadReceipt, User } from "./protocol";
import { Timeline } from "./timeline";
import { TypingIn, TypingOut } from "./typing";

/**
 * What can be said of a message: of one's own, how far it got (`sent`: the log has it, `stored`: it has
 * its number, `read`: by somebody), of others' that it was `received`.
 */
export type State = "sending" | "failed" | "sent" | "stored" | "read" | "received";

/** One message as it is shown, whether the server has numbered it yet or not. */
export interface Entry {
  /** The same from the first moment to the last. */
  key: string;
  state: State;
  seq?: number;
  mine: boolean;
  sender: User;
  text: string;
  attachmentUrls: readonly string[];
  /** Unix milliseconds. */
  at: number;
  clientMessageId?: string;
  error?: ChatError;
}

export interface LiveParts {
  id: string;
  me: User;
  link: Link;
  api: Api;
  clock: Clock;
  random?: (() => number) | undefined;
  restored: readonly Pending[];
  save: (pending: readonly Pending[]) => void;
}

/**
 * One conversation, live: its messages in order, each once, without a gap; one's own on their way;
 * who types; how far everybody has read. `change` is fired after anything of that has changed.
 */
export class LiveConversation extends Emitter<{ change: void }> {
  readonly id: string;
  readonly catchUp: CatchUp;
  readonly marks: Marks;
  private readonly me: User;
  private readonly link: Link;
  private readonly timeline = new Timeline();
  private readonly outbox: Outbox;
  private readonly typingOut: TypingOut;
  private readonly typingIn: TypingIn;
  private readonly save: (pending: readonly Pending[]) => void;
  private open = false;
  private phase: Phase = "idle";
  private settled = 0; // up to here the outbox knows what is stored

  constructor(parts: LiveParts) {
    super();
    const { id, me, link, api, clock, random } = parts;
    this.id = id;
    this.me = me;
    this.link = link;
    this.save = parts.save;
    const changed = (): void => this.fire("change", undefined);
    this.catchUp = new CatchUp(id, this.timeline, link, api, () => this.caughtUp(), clock, random);
    this.outbox = new Outbox((p) => link.request("send:message", draftOf(id, p)), () => this.outboxChanged(), clock, parts.restored, random);
    this.marks = new Marks(me.id, (messageId) => link.request("mark:read", { messageId }), changed);
    this.typingOut = new TypingOut(clock, (event) => {
      if (this.catchUp.phase === "joined") link.tell(event, { conversationId: id });
    });
    this.typingIn = new TypingIn(clock, changed);
  }

  /** Somebody is looking: join now and after every reconnection, until `leave`. */
  join(): void {
    this.open = true;
    if (this.link.online && this.catchUp.phase === "idle") void this.catchUp.start();
  }

  /** Nobody is looking any more. The room is left when what was written has gone. */
  leave(): void {
    this.open = false;
    this.typingOut.stop();
    this.leaveIfDone();
  }

  /** Everything to be shown, oldest first: the numbered messages, then one's own on their way. */
  entries(): Entry[] {
    const read = this.marks.theirs;
    return [...this.timeline.messages.map((m) => this.numbered(m, read)), ...this.outbox.pending.map((p) => this.pending(p))];
  }

  /** Whether older messages can be asked for. */
  get hasOlder(): boolean {
    return this.timeline.loaded && !this.timeline.complete;
  }

  get loaded(): boolean {
    return this.timeline.loaded;
  }

  /** Users who are typing. */
  get typing(): string[] {
    return this.typingIn.now;
  }

  older(): Promise<number> {
    return this.catchUp.older();
  }

  send(text: string, attachmentUrls: readonly string[] = []): void {
    this.typingOut.stop();
    this.outbox.add(text, attachmentUrls);
  }

  retry(clientMessageId: string): void {
    this.outbox.retry(clientMessageId);
  }

  discard(clientMessageId: string): void {
    this.outbox.discard(clientMessageId);
  }

  /** The composer changed; `empty`: there is nothing in it now. */
  composing(empty: boolean): void {
    if (empty) this.typingOut.stop();
    else this.typingOut.key();
  }

  /** Everything here has been seen by the person at the screen. */
  markRead(): void {
    const newest = this.timeline.messages.findLast((m) => m.senderId !== this.me.id);
    if (newest) this.marks.read(newest);
  }

  // What the client hands over from the link.

  connected(): void {
    if (this.open || this.outbox.hasWork) void this.catchUp.start();
  }

  disconnected(): void {
    this.catchUp.stop();
    this.typingIn.clear();
    this.typingOut.stop();
  }

  onJoined(j: Joined): void {
    this.marks.learn(this.me.id, j.readSeq);
    for (const [userId, seq] of Object.entries(j.readSeqs ?? {})) this.marks.learn(userId, seq);
    this.catchUp.joined(j);
  }

  onMessage(m: Message): void {
    this.typingIn.stopped(m.senderId);
    this.timeline.offer(m);
    this.catchUp.hearOf(m.seq);
    this.settle();
    this.fire("change", undefined);
  }

  onRead(r: ReadReceipt): void {
    this.marks.learn(r.readBy, r.seq);
  }

  onTyping(userId: string, typing: boolean): void {
    if (userId === this.me.id) return;
    if (typing) this.typingIn.started(userId);
    else this.typingIn.stopped(userId);
  }

  private caughtUp(): void {
    const phase = this.catchUp.phase;
    if (phase !== this.phase) {
      this.phase = phase;
      for (const part of [this.outbox, this.marks]) {
        if (phase === "joined") part.resume();
        else part.suspend();
      }
      if (phase === "refused" && this.catchUp.error) this.outbox.giveUp(this.catchUp.error);
    }
    this.settle();
    this.leaveIfDone();
    this.fire("change", undefined);
  }

  private outboxChanged(): void {
    this.save(this.outbox.pending.filter((p) => p.state !== "sent"));
    if (this.outbox.hasWork && this.link.online && this.catchUp.phase === "idle") void this.catchUp.start();
    this.leaveIfDone();
    this.fire("change", undefined);
  }

  private leaveIfDone(): void {
    if (this.open || this.outbox.hasWork || this.phase === "idle" || this.phase === "refused") return;
    this.catchUp.stop();
    this.typingIn.clear();
    this.link.tell("leave:conversation", { conversationId: this.id });
  }

  /** Takes what the timeline has from the outbox; who wrote has read what came before (the server's rule). */
  private settle(): void {
    this.settled = Math.min(this.settled, this.timeline.last);
    for (const m of this.timeline.messages) {
      if (m.seq <= this.settled) continue;
      if (m.senderId === this.me.id) this.outbox.settle(m);
      this.marks.learn(m.senderId, m.seq);
      this.settled = m.seq;
    }
  }
  private numbered(m: Message, read: number): Entry {
    const mine = m.senderId === this.me.id;
    const state = !mine ? "received" : m.seq <= read ? "read" : "stored";
    return {
      key: (mine && m.clientMessageId) || m.id,
      state,
      seq: m.seq,
      mine,
      sender: m.sender,
      text: m.message,
      attachmentUrls: m.attachmentUrls,
      at: Date.parse(m.createdAt),
    };
  }

  private pending(p: Pending): Entry {
    return {
      key: p.clientMessageId,
      state: p.state === "waiting" ? "sending" : p.state,
      mine: true,
      sender: this.me,
      text: p.text,
      attachmentUrls: p.attachmentUrls,
      at: p.createdAt,
      clientMessageId: p.clientMessageId,
      ...(p.error ? { error: p.error } : {}),
    };
  }
}

function draftOf(conversationId: string, p: Pending) {
  return {
    conversationId,
    clientMessageId: p.clientMessageId,
    ...(p.text === "" ? {} : { message: p.text }),
    ...(p.attachmentUrls.length === 0 ? {} : { attachmentUrls: [...p.attachmentUrls] }),
  };
}
