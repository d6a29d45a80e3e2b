const near = 80;

/**
 * A scrolling list that stays where its reader is: at the end while they are at the end, else on
 * whatever they are reading, though things are put in above or below.
 */
export class Scroll {
  private following = true;

  constructor(
    private readonly view: HTMLElement,
    private readonly moved: () => void,
  ) {
    view.addEventListener("scroll", () => {
      this.following = this.rest < near;
      moved();
    });
    new ResizeObserver(() => this.following && this.toEnd()).observe(view); // the keyboard of a phone
  }

  /** Whether the newest message is in sight. */
  get atEnd(): boolean {
    return this.following;
  }

  /** Whether the oldest is near, or everything fits. */
  get atStart(): boolean {
    return this.view.scrollTop < 300;
  }

  toEnd(): void {
    this.following = true;
    this.view.scrollTop = this.view.scrollHeight;
    this.moved();
  }

  /** Changes the list's content without moving the reader. */
  around(change: () => void): void {
    const anchor = this.following ? undefined : this.firstInSight();
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (this.following) this.view.scrollTop = this.view.scrollHeight;
    else if (anchor?.isConnected) this.view.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  private get rest(): number {
    return this.view.scrollHeight - this.view.scrollTop - this.view.clientHeight;
  }

  private firstInSight(): Element | undefined {
    const top = this.view.getBoundingClientRect().top;
    return [...this.view.querySelectorAll(".message")].find((m) => m.getBoundingClientRect().bottom > top);
  }
}
