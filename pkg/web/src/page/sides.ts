import { el, set } from "./dom";
import type { Side } from "./options";

/** On a narrow screen one pane is shown at a time; this switches between them and tells what is unread. */
export class Sides {
  readonly node: HTMLElement;
  private readonly buttons = new Map<Side, { button: HTMLButtonElement; unread: HTMLElement }>();

  constructor(sides: readonly Side[], show: (side: Side) => void) {
    this.node = el("div", { class: "sides", role: "group", "aria-label": "Who you are" });
    for (const side of sides) {
      const unread = el("span", { class: "unread", hidden: true });
      const button = el("button", { type: "button", "data-testid": `show-${side}` }, side === "buyer" ? "Buyer" : "Seller", unread);
      button.addEventListener("click", () => {
        this.current(side);
        show(side);
      });
      this.buttons.set(side, { button, unread });
      this.node.append(button);
    }
  }

  current(side: Side): void {
    for (const [name, { button }] of this.buttons) set(button, "aria-pressed", String(name === side));
  }

  unread(side: Side, count: number): void {
    const badge = this.buttons.get(side)?.unread;
    if (!badge) return;
    badge.hidden = count === 0;
    badge.textContent = count === 0 ? "" : String(count);
  }
}
