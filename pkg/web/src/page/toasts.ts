import { el, foreign, icon, iconButton } from "./dom";

const lifetime = 6_000;
const most = 3;

/** Short notes in the corner of a pane: who wrote elsewhere, and what went wrong. */
export class Toasts {
  readonly node = el("div", { class: "toasts" });
  private readonly news = el("div", { role: "status" });
  private readonly troubles = el("div", { role: "alert" });

  constructor() {
    this.node.append(this.troubles, this.news);
  }

  /** Somebody wrote in a conversation that is not open; a click opens it. */
  notify(title: string, sender: string, preview: string, picture: Node, open: () => void): void {
    const body = el("button", { type: "button", class: "toast-body" }, picture, el("span", { class: "toast-text" }, el("strong", {}, foreign(sender), " · ", foreign(title)), foreign(preview || "Sent an attachment", { class: "preview" })));
    const toast = this.put(this.news, el("div", { class: "toast", "data-testid": "toast" }, body));
    body.addEventListener("click", () => {
      toast.remove();
      open();
    });
  }

  /** Something that the server refused, in plain words. */
  complain(text: string): void {
    this.put(this.troubles, el("div", { class: "toast trouble", "data-testid": "exception" }, icon("warn"), el("span", { class: "toast-text" }, text)));
  }

  private put(where: HTMLElement, toast: HTMLElement): HTMLElement {
    const close = iconButton("close", "Dismiss");
    close.addEventListener("click", () => toast.remove());
    toast.append(close);
    where.append(toast);
    while (where.childElementCount > most) where.firstElementChild?.remove();
    const go = (): void => {
      if (toast.matches(":hover, :focus-within")) setTimeout(go, 1_000);
      else toast.remove();
    };
    setTimeout(go, lifetime);
    return toast;
  }
}
