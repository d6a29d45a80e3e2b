import type { Message } from "./protocol";

const mostAhead = 1_000;

/**
 * The messages of one conversation that are known here: always one unbroken run of `seq`, so that
 * what is shown has no hole and nothing twice. What comes too early waits until the gap is filled.
 */
export class Timeline {
  private run: Message[] = [];
  private readonly ahead = new Map<number, Message>();
  private holding = true;

  /** Ascending and without a gap. */
  get messages(): readonly Message[] {
    return this.run;
  }

  /** Whether a first page is there; until then everything that comes waits. */
  get loaded(): boolean {
    return !this.holding;
  }

  /** The newest number in the run, 0 for an empty one. */
  get last(): number {
    return this.run.at(-1)?.seq ?? 0;
  }

  /** Whether there is nothing older. */
  get complete(): boolean {
    return this.loaded && (this.run[0]?.seq ?? 1) === 1;
  }

  /** The newest number heard of, whether its message is in the run or waits. */
  get reach(): number {
    return Math.max(this.last, ...this.ahead.keys());
  }

  /** From now on everything waits for the next `reset`. */
  hold(): void {
    this.holding = true;
  }

  /** Starts over from a page of history; what waited and follows it is taken in. */
  reset(page: readonly Message[]): void {
    this.run = contiguousEnd(page);
    this.holding = false;
    this.absorb();
  }

  /** Puts older messages in front; only those that join up with the run. Tells how many. */
  prepend(page: readonly Message[]): number {
    const first = this.run[0]?.seq;
    if (first === undefined) return 0;
    const older = contiguousEnd(page.filter((m) => m.seq < first));
    if (older.at(-1)?.seq !== first - 1) return 0;
    this.run = [...older, ...this.run];
    return older.length;
  }

  /** Takes a message in: `added`, `known` already, or `early`: something before it is missing. */
  offer(m: Message): "added" | "known" | "early" {
    if (!this.holding && m.seq <= this.last) return "known";
    if (this.ahead.has(m.seq)) return "known";
    if (this.holding || m.seq > this.last + 1) {
      if (this.ahead.size < mostAhead) this.ahead.set(m.seq, m); // past that, filling the gap brings it
      return "early";
    }
    this.run.push(m);
    this.absorb();
    return "added";
  }

  private absorb(): void {
    for (let m = this.ahead.get(this.last + 1); m; m = this.ahead.get(this.last + 1)) this.run.push(m);
    for (const seq of [...this.ahead.keys()]) if (seq <= this.last) this.ahead.delete(seq);
  }
}

/** The longest unbroken run at the end of a page. */
function contiguousEnd(page: readonly Message[]): Message[] {
  const sorted = [...page].sort((a, b) => a.seq - b.seq);
  let from = sorted.length;
  while (from > 0 && (from === sorted.length || sorted[from - 1]!.seq === sorted[from]!.seq - 1)) from--;
  return sorted.slice(from);
}
