import { connectWith, DozaarClient, type Exception } from "../client";
import { asChatError } from "../client/errors";
import { Backoff } from "../client/backoff";
import { Connection } from "./connection";
import { el, foreign, icon, set } from "./dom";
import { subjectOf } from "./format";
import { once } from "./later";
import type { PageOptions, Side } from "./options";
import { Roster } from "./roster";
import type { DevSession } from "./session";
import { Thread } from "./thread";
import { tile } from "./tile";
import { Toasts } from "./toasts";

const phone = matchMedia("(max-width: 759px)"); // as in narrow.css
const roles: Record<Side, string> = { buyer: "Buyer", seller: "Seller" };

/** One person at the page: a client with a socket of its own, the list of conversations, the open one. */
export class Pane {
  readonly node: HTMLElement;
  /** Told when what is unread changes. */
  onUnread: (count: number) => void = () => {};
  private readonly toasts = new Toasts();
  private readonly body = el("div", { class: "pane-body" });
  private readonly split = el("div", { class: "split" });
  private thread: Thread | undefined;
  private chosen = false;
  private client: DozaarClient | undefined;
  private readonly drafts = new Map<string, { text: string; urls: readonly string[] }>();

  constructor(
    private readonly side: Side,
    private readonly options: PageOptions,
    private readonly session: DevSession,
  ) {
    this.node = el("section", { class: `pane ${side}`, id: `pane-${side}`, "data-testid": `pane-${side}`, "aria-label": roles[side] }, this.body);
    void this.signIn();
  }

  private async signIn(): Promise<void> {
    const backoff = new Backoff(1_000, 10_000);
    const notice = el("p", { class: "notice", role: "status" }, "Signing in…");
    this.body.append(notice);
    while (!this.client) {
      try {
        this.client = await DozaarClient.open({
          gateway: this.options.gateway,
          token: () => this.session.token(this.side),
          connect: connectWith(this.options.transports),
          store: sessionStorage,
        });
      } catch (thrown) {
        notice.textContent = `Cannot sign in: ${asChatError(thrown).message}. Trying again…`;
        await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      }
    }
    notice.remove();
    this.show(this.client);
  }

  private show(client: DozaarClient): void {
    const connection = new Connection(client);
    const roster = new Roster(client, (id) => this.choose(client, id), (thrown) => this.failed(thrown));
    const empty = el("div", { class: "thread none" }, el("p", { class: "quiet" }, "Choose a conversation."));
    this.split.append(roster.node, empty);
    this.body.append(this.header(client, connection), this.split, this.toasts.node);

    const update = once(() => {
      roster.update(this.thread?.conversation.id);
      this.thread?.update();
      connection.update();
      this.onUnread(client.inbox.conversations.reduce((sum, c) => sum + c.unread, 0));
      this.openFirst(client);
    });
    this.refresh = update;
    client.on("status", update);
    client.on("inbox", update);
    client.on("presence", update);
    client.on("exception", (e) => this.toasts.complain(complaint(e)));
    client.on("trouble", (e) => this.toasts.complain(`Could not read the conversations: ${e.message}.`));
    client.on("notification", (n) => {
      const c = client.inbox.get(n.conversationId);
      const title = c ? subjectOf(c, client.user).title : "New conversation";
      this.toasts.notify(title, n.sender.username, n.preview, tile(title, "listing", n.conversationId), () => this.choose(client, n.conversationId));
    });
    setInterval(update, 30_000); // 'last seen 3 min ago'
    window.addEventListener("online", () => client.retryNow());
    document.addEventListener("visibilitychange", () => this.look());
    client.start();
    update();
  }

  private refresh: () => void = () => {};

  /** The pane came into sight. */
  look(): void {
    if (document.visibilityState !== "visible") return;
    this.client?.retryNow();
    this.thread?.look();
  }

  private header(client: DozaarClient, connection: Connection): HTMLElement {
    const { username, id } = client.user;
    const who = el("div", { class: "who" }, el("h2", {}, foreign(username)), el("p", {}, roles[this.side]));
    const parts: Node[] = [tile(username, "person", id), who, connection.node];
    if (this.options.sides.length > 1) {
      const address = new URL(location.href);
      address.searchParams.set("as", this.side);
      const label = `Open ${roles[this.side].toLowerCase()} in a window of its own`;
      parts.push(el("a", { class: "icon-button detach", href: address.href, target: "_blank", rel: "noopener", "aria-label": label, title: label }, icon("open")));
    }
    return el("header", { class: "pane-head" }, ...parts);
  }

  /** Once, where there is room for more than the list. */
  private openFirst(client: DozaarClient): void {
    const first = client.inbox.conversations[0];
    if (!first || this.chosen) return;
    this.chosen = true;
    if (!phone.matches) this.choose(client, first.id, false);
  }

  private choose(client: DozaarClient, id: string, focus = true): void {
    this.chosen = true;
    if (this.thread?.conversation.id !== id) {
      this.closeThread();
      this.thread = new Thread(client, client.conversation(id), {
        back: () => this.back(),
        failed: (thrown) => this.failed(thrown),
        inSight: () => document.visibilityState === "visible" && this.thread?.node.offsetParent !== null,
      });
      this.split.append(this.thread.node);
      this.thread.composer.draft = this.drafts.get(id) ?? { text: "", urls: [] };
      set(this.split, "data-open", true);
    }
    if (focus) this.thread?.composer.focus();
    this.refresh();
  }

  private back(): void {
    const id = this.thread?.conversation.id;
    this.closeThread();
    set(this.split, "data-open", false);
    if (id !== undefined) this.split.querySelector<HTMLElement>(`[data-conversation="${CSS.escape(id)}"]`)?.focus();
    this.refresh();
  }

  private closeThread(): void {
    if (!this.thread) return;
    this.drafts.set(this.thread.conversation.id, this.thread.composer.draft);
    this.thread.close();
    this.thread = undefined;
  }

  private failed(thrown: unknown): void {
    const { message } = asChatError(thrown);
    this.toasts.complain(`${message.charAt(0).toUpperCase()}${message.slice(1)}.`);
  }
}

function complaint({ event, error, code }: Exception): string {
  return `The server refused “${event}”: ${error}${code ? ` (${code})` : ""}.`;
}
