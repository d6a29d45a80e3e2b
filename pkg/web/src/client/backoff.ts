/**
 * Waiting times that double up to a cap, each shortened by a random share of up to half, so that
 * clients that were cut off together do not come back together.
 */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly first = 500,
    private readonly cap = 20_000,
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds until the next try. */
  next(): number {
    const full = Math.min(this.cap, this.first * 2 ** Math.min(this.failures, 30));
    this.failures++;
    return full * (1 - this.random() / 2);
  }

  reset(): void {
    this.failures = 0;
  }
}
