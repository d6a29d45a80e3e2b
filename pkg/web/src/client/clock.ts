/** Time, passed in, so that tests need not wait. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Runs `task` after `ms`; the answer cancels it. */
  after(ms: number, task: () => void): () => void;
}

const longest = 2 ** 31 - 1; // setTimeout fires at once past this

export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, Math.min(Math.max(0, ms), longest));
    return () => clearTimeout(timer);
  },
};

/** A timer that can be set again and again; setting it cancels the earlier run. */
export class Alarm {
  private cancel: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  get set(): boolean {
    return this.cancel !== undefined;
  }

  in(ms: number, task: () => void): void {
    this.clear();
    this.cancel = this.clock.after(ms, () => {
      this.cancel = undefined;
      task();
    });
  }

  clear(): void {
    this.cancel?.();
    this.cancel = undefined;
  }
}
