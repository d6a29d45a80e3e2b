import type { Conversation, DozaarClient, Message } from "../client";
import { el, foreign, say, set } from "./dom";
import { briefly, peersOf, subjectOf } from "./format";
import { Rows, type Row } from "./rows";
import { dot, tile } from "./tile";

/** The list of conversations: what each is about, its last message, how much of it is unread. */
export class Roster {
  readonly node: HTMLElement;
  private readonly list = el("ul");
  private readonly empty = el("p", { class: "quiet" }, "No conversations yet.");
  private readonly more = el("button", { type: "button", class: "link more", hidden: true }, "Earlier conversations");
  private readonly rows: Rows<Conversation>;
  private openId: string | undefined;

  constructor(
    private readonly client: DozaarClient,
    choose: (id: string) => void,
    failed: (thrown: unknown) => void,
  ) {
    this.node = el("nav", { class: "roster", "aria-label": `Conversations of ${client.user.username}` }, this.list, this.empty, this.more);
    this.rows = new Rows(this.list, (c) => c.id, (c) => new RosterRow(c, client, () => choose(c.id), () => this.openId));
    this.more.addEventListener("click", () => void client.inbox.more().catch(failed));
  }

  update(openId: string | undefined): void {
    this.openId = openId;
    const all = this.client.inbox.conversations;
    this.rows.update(all);
    this.empty.hidden = all.length > 0;
    this.more.hidden = !this.client.inbox.hasMore;
  }
}

class RosterRow implements Row<Conversation> {
  readonly node: HTMLElement;
  private readonly button: HTMLButtonElement;
  private readonly dot = dot();
  private readonly preview = foreign("", { class: "preview" });
  private readonly time = el("time");
  private readonly unread = el("span", { class: "unread", "data-testid": "unread" });
  private readonly unreadWords = el("span", { class: "sr" });

  constructor(
    c: Conversation,
    private readonly client: DozaarClient,
    choose: () => void,
    private readonly openId: () => string | undefined,
  ) {
    const { title } = subjectOf(c, client.user);
    const top = el("span", { class: "row-top" }, foreign(title, { class: "title" }), this.unread, this.unreadWords);
    const below = el("span", { class: "row-below" }, this.preview, this.time);
    const picture = el("span", { class: "picture" }, tile(title, "listing", c.id), this.dot);
    this.button = el("button", { type: "button", class: "row", "data-testid": "conversation", "data-conversation": c.id }, picture, el("span", { class: "row-text" }, top, below));
    this.button.addEventListener("click", choose);
    this.node = el("li", {}, this.button);
  }

  update(c: Conversation): void {
    const open = c.id === this.openId();
    set(this.button, "aria-current", open ? "true" : undefined);
    say(this.time, c.lastMessage ? briefly(Date.parse(c.lastMessage.createdAt)) : "");
    say(this.preview, c.lastMessage ? this.previewOf(c.lastMessage) : "No messages yet");
    this.unread.hidden = c.unread === 0;
    say(this.unread, c.unread === 0 ? "" : c.unread > 99 ? "99+" : String(c.unread));
    say(this.unreadWords, c.unread === 0 ? "" : "unread");
    this.button.classList.toggle("has-unread", c.unread > 0);
    set(this.dot, "data-online", peersOf(c, this.client.user).some((m) => this.client.presence.of(m.userId).online));
  }

  private previewOf(m: Message): string {
    const text = m.message || "Attachment";
    return m.senderId === this.client.user.id ? `You: ${text}` : text;
  }
}
