import { Backoff } from "./backoff";
import { Alarm, type Clock } from "./clock";
import { asChatError, ChatError } from "./errors";
import type { Message, Sent } from "./protocol";
import { newId } from "./uuid";

/** A message of one's own until its stored copy is seen. */
export interface Pending {
  readonly clientMessageId: string;
  readonly text: string;
  readonly attachmentUrls: readonly string[];
  /** Unix milliseconds: when it was written, then when the server took it. */
  createdAt: number;
  /** `sent`: acknowledged, so it is in the log for good. `failed`: waits for `retry` or `discard`. */
  state: "waiting" | "sending" | "sent" | "failed";
  messageId?: string;
  error?: ChatError;
}

const patience = 6; // refusals in a row before a message is left to its author

/**
 * Sends the messages of one conversation, in the order in which they were written, one at a time.
 *
 * Every try of a message carries the same clientMessageId, so however often it is repeated after a
 * lost answer, it becomes one message. Tries that a lost connection cut short do not count; a
 * passing refusal is repeated with back-off; any other makes the message `failed` and the next goes.
 */
export class Outbox {
  private list: Pending[];
  private ready = false;
  private busy = false;
  private refusals = 0;
  private readonly pause: Alarm;
  private readonly backoff: Backoff;

  constructor(
    private readonly send: (p: Pending) => Promise<Sent>,
    private readonly changed: () => void,
    private readonly clock: Clock,
    restored: readonly Pending[] = [],
    random?: () => number,
  ) {
    this.list = [...restored];
    this.pause = new Alarm(clock);
    this.backoff = new Backoff(1000, 15_000, random);
  }

  get pending(): readonly Pending[] {
    return this.list;
  }

  /** Whether something still wants to be sent. */
  get hasWork(): boolean {
    return this.list.some((p) => p.state === "waiting" || p.state === "sending");
  }

  add(text: string, attachmentUrls: readonly string[]): Pending {
    const p: Pending = { clientMessageId: newId(), text, attachmentUrls, createdAt: this.clock.now(), state: "waiting" };
    this.list.push(p);
    this.changed();
    this.pump();
    return p;
  }

  /** The conversation is joined: whatever waits may go. */
  resume(): void {
    this.ready = true;
    this.pause.clear();
    this.pump();
  }

  /** The conversation is not joined any more. */
  suspend(): void {
    this.ready = false;
    this.pause.clear();
  }

  /** The server will not have the conversation: nothing that waits can go. */
  giveUp(error: ChatError): void {
    for (const p of this.list) {
      if (p.state !== "waiting") continue;
      p.state = "failed";
      p.error = error;
    }
    this.changed();
  }

  retry(clientMessageId: string): void {
    const p = this.find(clientMessageId);
    if (p?.state !== "failed") return;
    p.state = "waiting";
    delete p.error;
    this.refusals = 0;
    this.changed();
    this.pump();
  }

  discard(clientMessageId: string): void {
    if (this.find(clientMessageId)?.state === "failed") this.remove(clientMessageId);
  }

  /** The stored copy of one of these is here, whether or not its acknowledgement ever came. */
  settle(m: Message): void {
    const p = this.list.find((q) => q.clientMessageId === m.clientMessageId || q.messageId === m.id);
    if (p) this.remove(p.clientMessageId);
  }

  private find(clientMessageId: string): Pending | undefined {
    return this.list.find((p) => p.clientMessageId === clientMessageId);
  }

  private remove(clientMessageId: string): void {
    this.list = this.list.filter((p) => p.clientMessageId !== clientMessageId);
    this.changed();
  }

  private pump(): void {
    if (!this.ready || this.busy || this.pause.set) return;
    const p = this.list.find((q) => q.state === "waiting");
    if (p) void this.try(p);
  }

  private async try(p: Pending): Promise<void> {
    this.busy = true;
    p.state = "sending";
    this.changed();
    try {
      const sent = await this.send(p);
      p.state = "sent";
      p.messageId = sent.messageId;
      p.createdAt = Date.parse(sent.createdAt) || p.createdAt;
      this.refusals = 0;
      this.backoff.reset();
    } catch (thrown) {
      this.failed(p, asChatError(thrown));
    } finally {
      this.busy = false;
    }
    this.changed();
    this.pump();
  }

  private failed(p: Pending, error: ChatError): void {
    const cut = error.code === "offline";
    if (!cut) this.refusals++;
    if (!error.passing || this.refusals >= patience) {
      p.state = "failed";
      p.error = error;
      this.refusals = 0;
      return;
    }
    p.state = "waiting";
    if (!cut && this.ready) this.pause.in(this.backoff.next(), () => this.pump());
  }
}
