import type { Message } from "./protocol";

/**
 * How far people have read one conversation. Marks only move forward. One's own is told to the server
 * with one request at a time; what became newer meanwhile goes with the next.
 */
export class Marks {
  private confirmed = 0;
  private wanted: { seq: number; messageId: string } | undefined;
  private busy = false;
  private ready = false;
  private readonly others = new Map<string, number>();

  constructor(
    private readonly me: string,
    private readonly tell: (messageId: string) => Promise<unknown>,
    private readonly changed: () => void,
  ) {}

  /** Up to where oneself has read, told or about to be. */
  get mine(): number {
    return Math.max(this.confirmed, this.wanted?.seq ?? 0);
  }

  /** Up to where at least one other member has read. */
  get theirs(): number {
    return Math.max(0, ...this.others.values());
  }

  resume(): void {
    this.ready = true;
    void this.pump();
  }

  suspend(): void {
    this.ready = false;
  }

  /** Oneself has read up to this message of somebody else. */
  read(m: Message): void {
    if (m.seq <= this.mine) return;
    this.wanted = { seq: m.seq, messageId: m.id };
    this.changed();
    void this.pump();
  }

  /** The server says that this member has read up to `seq`. */
  learn(userId: string, seq: number): void {
    if (userId === this.me) {
      if (seq <= this.confirmed) return;
      this.confirmed = seq;
      if (this.wanted && this.wanted.seq <= seq) this.wanted = undefined;
    } else {
      if (seq <= (this.others.get(userId) ?? 0)) return;
      this.others.set(userId, seq);
    }
    this.changed();
  }

  private async pump(): Promise<void> {
    if (!this.ready || this.busy || !this.wanted) return;
    const { seq, messageId } = this.wanted;
    this.busy = true;
    try {
      await this.tell(messageId);
      this.learn(this.me, seq);
    } catch {
      return; // told again with the next message read, or after the next join
    } finally {
      this.busy = false;
    }
    void this.pump();
  }
}
