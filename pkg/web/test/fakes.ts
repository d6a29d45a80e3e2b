import type { Clock } from "../src/client/clock";
import type { SocketLike } from "../src/client/socket";

/** Lets everything that is ready to run, run. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Time that only moves when told. */
export class FakeClock implements Clock {
  private time = Date.parse("2026-01-01T12:00:00Z");
  private readonly timers = new Set<{ at: number; task: () => void }>();

  now(): number {
    return this.time;
  }

  after(ms: number, task: () => void): () => void {
    const timer = { at: this.time + ms, task };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const next = [...this.timers].filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.task();
      await settle();
    }
    this.time = end;
  }
}

/** An unsigned token: the client never checks signatures. */
export function tokenFor(user: { id: string; username: string }, expiresAt: number, tag = "t"): string {
  const part = (o: object): string => Buffer.from(JSON.stringify(o)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub: user.id, username: user.username, exp: Math.floor(expiresAt / 1000), tag })}.${tag}`;
}

export interface Emitted {
  event: string;
  payload: unknown;
  ack: ((answer: unknown) => void) | undefined;
}

/** A socket whose other end is the test. */
export class FakeSocket implements SocketLike {
  readonly sent: Emitted[] = [];
  disconnected = false;
  /** Answers events by itself where it is set; an answer of undefined leaves the event unanswered. */
  respond: ((event: string, payload: never) => unknown) | undefined;
  private readonly listeners = new Map<string, ((payload?: unknown) => void)[]>();

  constructor(readonly token: string) {}

  on(event: string, listener: (payload?: unknown) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }

  emit(event: string, payload: unknown, ack?: (answer: unknown) => void): void {
    this.sent.push({ event, payload, ack });
    const answer = this.respond?.(event, payload as never);
    if (answer !== undefined) queueMicrotask(() => ack?.(answer));
  }

  disconnect(): void {
    this.disconnected = true;
  }

  /** The server, or the network, does this. */
  deliver(event: string, payload?: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener(payload);
  }

  of(event: string): Emitted[] {
    return this.sent.filter((e) => e.event === event);
  }
}

/** A promise and what settles it. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}
