import type { DozaarClient, LiveConversation } from "../client";
import { Composer } from "./composer";
import { el, foreign, icon, iconButton, say, set } from "./dom";
import { Feed } from "./feed";
import { peersOf, plural, presenceText, subjectOf } from "./format";
import { once } from "./later";
import { Scroll } from "./scroll";
import { dot, tile } from "./tile";

export interface ThreadActions {
  back(): void;
  failed(thrown: unknown): void;
  /** Whether a person can see this thread now. */
  inSight(): boolean;
}

/** One open conversation: what it is about and with whom, its messages, the composer. */
export class Thread {
  readonly node: HTMLElement;
  readonly composer: Composer;
  private readonly title: HTMLElement;
  private readonly presence = el("span", { class: "presence", "data-testid": "presence" });
  private readonly dot = dot();
  private readonly messages: HTMLElement;
  private readonly top = el("div", { class: "top" });
  private readonly notice = el("p", { class: "banner", role: "status", hidden: true });
  private readonly typing = el("div", { class: "typing", role: "status", "data-testid": "typing", hidden: true });
  private readonly newer: HTMLButtonElement;
  private readonly scroll: Scroll;
  private readonly feed: Feed;
  private readonly stopListening: () => void;
  private loadingOlder = false;
  private olderFailed = false;
  private seen = 0; // the newest message while the end was in sight
  readonly update: () => void;

  constructor(
    private readonly client: DozaarClient,
    readonly conversation: LiveConversation,
    private readonly actions: ThreadActions,
  ) {
    const back = iconButton("back", "Back to the conversations", { class: "icon-button back", "data-testid": "back" });
    back.addEventListener("click", actions.back);
    this.title = el("div", { class: "about" });
    const head = el("header", { class: "thread-head" }, back, this.title);

    const column = el("div", { class: "column" });
    this.messages = el("div", { class: "messages", role: "log", tabindex: 0, "aria-label": "Messages", "data-testid": "message-list" }, this.top, column, this.typing);
    this.feed = new Feed(column, { retry: (id) => conversation.retry(id), discard: (id) => conversation.discard(id) });
    this.scroll = new Scroll(this.messages, () => this.moved());
    this.newer = el("button", { type: "button", class: "newer", "data-testid": "newer", hidden: true }, icon("down"), el("span"));
    this.newer.addEventListener("click", () => this.scroll.toEnd());
    this.composer = new Composer(client.user.username, {
      send: (text, urls) => {
        conversation.send(text, urls);
        this.scroll.toEnd();
      },
      composing: (empty) => conversation.composing(empty),
    });
    this.node = el("div", { class: "thread" }, head, this.notice, el("div", { class: "scrolling" }, this.messages, this.newer), this.composer.node);
    this.update = once(() => this.render());
    this.stopListening = conversation.on("change", this.update);
    conversation.join();
    this.update();
  }

  /** The thread is closed: the room is left. */
  close(): void {
    this.stopListening();
    this.conversation.leave();
    this.node.remove();
  }

  /** A person looks at this again, or scrolled: what is in sight is read. */
  look(): void {
    if (!this.actions.inSight() || !this.scroll.atEnd || !this.conversation.loaded) return;
    this.conversation.markRead();
    this.seen = this.newest;
  }

  private get newest(): number {
    return this.conversation.entries().findLast((e) => e.seq !== undefined)?.seq ?? 0;
  }

  private render(): void {
    this.showTitle();
    this.showState();
    const c = this.client.inbox.get(this.conversation.id);
    this.scroll.around(() => {
      this.showTop();
      this.feed.update(this.conversation.entries(), this.conversation.catchUp.missed, (c?.members.length ?? 2) > 2);
      this.showTyping();
    });
    this.look();
    const unseen = Math.max(0, this.newest - this.seen);
    this.newer.hidden = this.scroll.atEnd;
    say(this.newer.lastElementChild!, unseen > 0 ? plural(unseen, "new message", "new messages") : "Newest");
    this.fillUp();
  }

  private moved(): void {
    this.look();
    this.fillUp();
    if (this.scroll.atEnd !== this.newer.hidden) this.update();
  }

  private showTitle(): void {
    const c = this.client.inbox.get(this.conversation.id);
    if (!c) return;
    const me = this.client.user;
    const { title, price } = subjectOf(c, me);
    const peers = peersOf(c, me);
    const status = peers.length === 1 ? this.client.presence.of(peers[0]!.userId) : undefined;
    const names = peers.map((m) => m.username).join(", ");
    if (this.title.childElementCount === 0) {
      const heading = el("h3", {}, foreign(title), ...(price ? [foreign(price, { class: "price" })] : []));
      const below = el("p", {}, this.dot, foreign(names), this.presence);
      this.title.append(tile(title, "listing", c.id), el("div", { class: "about-text" }, heading, below));
      set(this.messages, "aria-label", `Messages about ${title}`);
    }
    const online = status?.online ?? null;
    set(this.dot, "data-online", online === true);
    set(this.presence, "data-online", String(online ?? "unknown"));
    say(this.presence, status ? presenceText(status) : "");
  }

  private showState(): void {
    const { state } = this.client.status;
    const { phase, error } = this.conversation.catchUp;
    const text =
      phase === "refused" ? `This conversation cannot be opened: ${error?.message ?? ""}.` : state === "offline" ? "You are offline. Nothing arrives until you come back." : "";
    this.notice.hidden = text === "";
    say(this.notice, text);
    set(this.node, "data-phase", phase);
    set(this.messages, "aria-busy", phase === "joining" || this.loadingOlder ? "true" : undefined);
    this.composer.tell(state === "online" || phase === "refused" ? "" : "What you write now is sent as soon as you are connected.");
  }

  private showTop(): void {
    const { conversation } = this;
    if (!conversation.loaded) {
      const text = this.client.status.state === "offline" ? "" : "Loading messages…";
      this.top.replaceChildren(el("p", { class: "quiet" }, text));
    } else if (this.olderFailed) {
      const again = el("button", { type: "button", class: "link" }, "Try again");
      again.addEventListener("click", () => {
        this.olderFailed = false;
        void this.loadOlder();
      });
      this.top.replaceChildren(el("p", { class: "quiet" }, "Earlier messages could not be loaded. ", again));
    } else if (conversation.hasOlder) {
      this.top.replaceChildren(el("p", { class: "quiet" }, this.loadingOlder ? "Loading earlier messages…" : "Scroll up for earlier messages"));
    } else {
      const words = conversation.entries().length > 0 ? "This is where the conversation began." : "Nobody has written yet. Say hello.";
      this.top.replaceChildren(el("p", { class: "quiet" }, words));
    }
  }

  private showTyping(): void {
    const members = this.client.inbox.get(this.conversation.id)?.members ?? [];
    const names = this.conversation.typing.map((id) => members.find((m) => m.userId === id)?.username ?? "Somebody");
    if (this.typing.hidden !== (names.length === 0)) {
      this.typing.hidden = names.length === 0;
      this.typing.replaceChildren();
      if (names.length > 0) {
        const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
        this.typing.append(dots, el("span", { class: "sr" }, foreign(names.join(", ")), names.length > 1 ? " are typing" : " is typing"));
      }
    }
  }

  /** Reads older messages while the start of what is here is in sight. */
  private fillUp(): void {
    if (this.scroll.atStart && this.conversation.hasOlder && !this.olderFailed && this.messages.clientHeight > 0) void this.loadOlder();
  }

  private async loadOlder(): Promise<void> {
    if (this.loadingOlder) return;
    this.loadingOlder = true;
    this.update();
    try {
      await this.conversation.older();
    } catch (thrown) {
      this.olderFailed = true;
      this.actions.failed(thrown);
    }
    this.loadingOlder = false;
    this.update();
  }
}
