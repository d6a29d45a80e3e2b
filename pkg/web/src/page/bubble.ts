import type { Entry, State } from "../client";
import { el, foreign, icon, say, set, type IconName } from "./dom";
import { timeOf } from "./format";
import type { Row } from "./rows";

/** A message with what its neighbours make of it. */
export interface Shown {
  entry: Entry;
  /** The first of several in a row by one person. */
  leads: boolean;
  /** Its author's name is worth saying: there are more than two people. */
  named: boolean;
}

export interface BubbleActions {
  retry(clientMessageId: string): void;
  discard(clientMessageId: string): void;
}

const marks: Record<State, { icon?: IconName; words: string }> = {
  sending: { icon: "clock", words: "Sending" },
  failed: { icon: "warn", words: "Not sent" },
  sent: { icon: "once", words: "Sent" },
  stored: { icon: "once", words: "Sent" },
  read: { icon: "twice", words: "Read" },
  received: { words: "" },
};

/** One message. What it says is set as text and isolated from the text around it. */
export class Bubble implements Row<Shown> {
  readonly node: HTMLElement;
  private readonly mark = el("span", { class: "mark" });
  private readonly time = el("time");
  private readonly trouble = el("div", { class: "trouble", hidden: true });
  private state: State | undefined;

  constructor(
    { entry, named }: Shown,
    private readonly actions: BubbleActions,
  ) {
    const body = el("div", { class: "bubble" });
    if (named && !entry.mine) body.append(foreign(entry.sender.username, { class: "author" }));
    if (entry.text !== "") body.append(el("p", { class: "text", dir: "auto", "data-testid": "text" }, entry.text));
    if (entry.attachmentUrls.length > 0) body.append(el("ul", { class: "attachments" }, ...entry.attachmentUrls.map((u) => el("li", {}, attachment(u)))));
    body.append(el("span", { class: "meta" }, this.time, this.mark));
    const who = el("span", { class: "sr" }, entry.mine ? "You: " : "", ...(entry.mine ? [] : [foreign(entry.sender.username), ": "]));
    this.node = el("div", { class: `message ${entry.mine ? "mine" : "theirs"}`, "data-testid": "message" }, who, body, this.trouble);
  }

  update({ entry, leads }: Shown): void {
    set(this.node, "data-seq", entry.seq);
    set(this.node, "data-state", entry.state);
    this.node.classList.toggle("leads", leads);
    say(this.time, timeOf(entry.at));
    set(this.time, "datetime", new Date(entry.at).toISOString());
    if (entry.state === this.state) return;
    this.state = entry.state;
    const { icon: name, words } = marks[entry.state];
    this.mark.replaceChildren(...(name ? [icon(name), el("span", { class: "sr" }, words)] : []));
    this.mark.title = words;
    this.showTrouble(entry);
  }

  private showTrouble(entry: Entry): void {
    const id = entry.clientMessageId;
    this.trouble.hidden = entry.state !== "failed";
    this.trouble.replaceChildren();
    if (entry.state !== "failed" || id === undefined) return;
    const retry = el("button", { type: "button", class: "link", "data-testid": "retry" }, "Try again");
    const discard = el("button", { type: "button", class: "link", "data-testid": "discard" }, "Discard");
    retry.addEventListener("click", () => this.actions.retry(id));
    discard.addEventListener("click", () => this.actions.discard(id));
    this.trouble.append(el("span", {}, `Not sent: ${entry.error?.message ?? "unknown reason"}.`), " ", retry, " ", discard);
  }
}

/** A link that does nothing until it is clicked: never fetched, no preview, no referrer. Anything but http(s) is text. */
function attachment(address: string): HTMLElement {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return foreign(address, { class: "attachment" });
  const file = url.pathname.split("/").at(-1) || url.host;
  const label = el("span", {}, foreign(file, { class: "file" }), foreign(url.host, { class: "host" }));
  return el("a", { class: "attachment", href: url.href, target: "_blank", rel: "noopener noreferrer nofollow", title: url.href }, icon("file"), label);
}
