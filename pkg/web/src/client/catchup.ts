import type { Api } from "./api";
import { Backoff } from "./backoff";
import { Alarm, type Clock } from "./clock";
import { asChatError, type ChatError } from "./errors";
import type { Link } from "./link";
import type { Joined } from "./protocol";
import { Timeline } from "./timeline";

const pageSize = 50;
const fillSize = 100;
const fillLimit = 1_000; // a wider gap is not filled: the newest page is shown, the rest is older messages
const replayGrace = 5_000;

/** Where a conversation stands with the server. */
export type Phase =
  /** Not wanted, or no connection. */
  | "idle"
  /** The first page, or the join, is under way. */
  | "joining"
  | "joined"
  /** The server will not have it: see `error`. */
  | "refused";

export interface Missed {
  /** The first message that was missed. */
  fromSeq: number;
  count: number;
  /** False: there were too many to be replayed, so only the newest are here; the others are older pages. */
  recovered: boolean;
}

/**
 * Keeps a timeline level with the server: first page, then `join:conversation` with `afterSeq`, which
 * replays what came meanwhile, then live. After every reconnection the same again from where it
 * stopped. Whatever is missing nevertheless is read from the history.
 */
export class CatchUp {
  phase: Phase = "idle";
  error: ChatError | undefined;
  /** What the last return brought; undefined where nothing was missed. */
  missed: Missed | undefined;

  private run = 0; // grows when what is under way no longer counts
  private before = false; // joined once: a later join is a return
  private target = 0; // the newest number the server told of
  private filling = false;
  private paging = false;
  private readonly again: Alarm;
  private readonly check: Alarm;
  private readonly backoff: Backoff;

  constructor(
    private readonly id: string,
    readonly timeline: Timeline,
    private readonly link: Link,
    private readonly api: Api,
    private readonly changed: () => void,
    clock: Clock,
    random?: () => number,
  ) {
    this.again = new Alarm(clock);
    this.check = new Alarm(clock);
    this.backoff = new Backoff(1000, 15_000, random);
  }

  /** There is a connection and the conversation is wanted: get level. */
  async start(): Promise<void> {
    const run = ++this.run;
    this.again.clear();
    this.become("joining");
    try {
      if (!this.timeline.loaded) {
        const page = await this.api.history(this.id, { limit: pageSize });
        if (run !== this.run) return;
        this.timeline.reset(page);
        this.changed();
      }
      await this.link.request("join:conversation", { conversationId: this.id, afterSeq: this.timeline.last });
      if (run !== this.run) return;
      this.backoff.reset();
      this.before = true;
      this.become("joined");
    } catch (thrown) {
      if (run === this.run) this.failed(asChatError(thrown));
    }
  }

  /** The connection is gone, or the conversation was left. */
  stop(): void {
    this.run++;
    this.again.clear();
    this.check.clear();
    if (this.phase !== "refused") this.become("idle");
  }

  joined(j: Joined): void {
    this.target = j.recovered ? Math.max(this.target, j.lastSeq) : j.lastSeq;
    this.missed = this.before && j.missed > 0 ? { fromSeq: this.timeline.last + 1, count: j.missed, recovered: j.recovered } : undefined;
    if (!j.recovered) void this.reload();
    else if (this.timeline.last < this.target) this.check.in(replayGrace, () => void this.fill());
    this.changed();
  }

  /** A message of this number exists. Where it does not come by itself, the history is asked. */
  hearOf(seq: number): void {
    this.target = Math.max(this.target, seq);
    if (this.phase !== "joined" || !this.timeline.loaded || this.timeline.last >= this.goal()) return;
    if (this.timeline.reach > this.timeline.last) void this.fill();
    else if (!this.check.set) this.check.in(replayGrace, () => void this.fill());
  }

  /** Reads the page before what is there. Fails with a ChatError; tells how many messages came. */
  async older(): Promise<number> {
    const first = this.timeline.messages[0]?.seq;
    if (this.paging || first === undefined || this.timeline.complete) return 0;
    this.paging = true;
    try {
      const count = this.timeline.prepend(await this.api.history(this.id, { beforeSeq: first, limit: pageSize }));
      this.changed();
      return count;
    } finally {
      this.paging = false;
    }
  }

  /** Starts over from the newest page; what comes meanwhile waits behind it. */
  private async reload(): Promise<void> {
    const run = this.run;
    this.timeline.hold();
    try {
      const page = await this.api.history(this.id, { limit: pageSize });
      if (run !== this.run) return; // the next start loads it
      this.timeline.reset(page);
      const first = page[0]?.seq;
      if (this.missed && first !== undefined) this.missed.fromSeq = Math.max(this.missed.fromSeq, first);
      this.changed();
    } catch (thrown) {
      if (run === this.run) this.failed(asChatError(thrown));
    }
  }

  /** Reads forward from the history until the timeline has reached what was heard of. */
  private async fill(): Promise<void> {
    if (this.filling || !this.timeline.loaded || this.timeline.last >= this.goal()) return;
    if (this.goal() - this.timeline.last > fillLimit) return this.reload();
    const run = this.run;
    this.filling = true;
    try {
      for (let from = -1; run === this.run && this.timeline.last < this.goal() && this.timeline.last !== from; ) {
        from = this.timeline.last;
        const page = await this.api.history(this.id, { afterSeq: from, limit: fillSize });
        for (const m of page) this.timeline.offer(m);
        this.changed();
      }
    } catch {
      // the gap is still there: tried again below
    } finally {
      this.filling = false;
    }
    if (run === this.run && this.timeline.last < this.goal()) this.check.in(this.backoff.next(), () => void this.fill());
  }

  private goal(): number {
    return Math.max(this.target, this.timeline.reach);
  }

  private failed(error: ChatError): void {
    if (error.passing) {
      if (this.link.online) this.again.in(this.backoff.next(), () => void this.start());
      return;
    }
    this.error = error;
    this.become("refused");
  }

  private become(phase: Phase): void {
    this.phase = phase;
    if (phase !== "refused") this.error = undefined;
    this.changed();
  }
}
