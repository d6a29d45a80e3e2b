import { Alarm, type Clock } from "./clock";

const repeat = 3_000; // the server forgets after 10 s
const idle = 4_000;
const forget = 12_000; // longer than the server's own expiry: only for a lost `user:stopped_typing`

/** Tells others that one is typing: once at the start, again every few seconds, and when it ends. */
export class TypingOut {
  private told: number | undefined;
  private readonly pause: Alarm;

  constructor(
    private readonly clock: Clock,
    private readonly tell: (event: "typing:start" | "typing:stop") => void,
  ) {
    this.pause = new Alarm(clock);
  }

  /** A key was pressed and there is something in the composer. */
  key(): void {
    const now = this.clock.now();
    if (this.told === undefined || now - this.told >= repeat) {
      this.told = now;
      this.tell("typing:start");
    }
    this.pause.in(idle, () => this.stop());
  }

  /** Sent, emptied, left, or nothing for a while. */
  stop(): void {
    this.pause.clear();
    if (this.told === undefined) return;
    this.told = undefined;
    this.tell("typing:stop");
  }
}

/** Who is typing in a conversation. */
export class TypingIn {
  private readonly users = new Map<string, Alarm>();

  constructor(
    private readonly clock: Clock,
    private readonly changed: () => void,
  ) {}

  get now(): string[] {
    return [...this.users.keys()];
  }

  started(user: string): void {
    const alarm = this.users.get(user) ?? new Alarm(this.clock);
    alarm.in(forget, () => this.stopped(user));
    this.users.set(user, alarm);
    this.changed();
  }

  stopped(user: string): void {
    const alarm = this.users.get(user);
    if (!alarm) return;
    alarm.clear();
    this.users.delete(user);
    this.changed();
  }

  clear(): void {
    for (const user of this.now) this.stopped(user);
  }
}
