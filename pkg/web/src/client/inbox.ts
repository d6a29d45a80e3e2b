import type { Api } from "./api";
import type { Conversation, Message, Notification } from "./protocol";

/**
 * The conversations of the user, newest activity first. Unread is arithmetic: the newest number less
 * the number read, both of which only grow, so that answers and events may overtake each other.
 */
export class Inbox {
  private readonly byId = new Map<string, Conversation>();
  private cursor: string | null = null;
  private stale = false;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly api: Api,
    private readonly changed: () => void,
  ) {}

  /** Newest activity first. */
  get conversations(): Conversation[] {
    return [...this.byId.values()].sort((a, b) => Date.parse(b.activityAt) - Date.parse(a.activityAt) || (a.id < b.id ? -1 : 1));
  }

  get hasMore(): boolean {
    return this.cursor !== null;
  }

  get(id: string): Conversation | undefined {
    return this.byId.get(id);
  }

  /** Reads the newest page again; asked for while it is being read, once more after. Fails with a ChatError. */
  async refresh(): Promise<void> {
    this.stale = true;
    this.asking ??= this.reload().finally(() => (this.asking = undefined));
    return this.asking;
  }

  /** Reads the next page. Fails with a ChatError. */
  async more(): Promise<void> {
    if (this.cursor !== null) await this.load(this.cursor);
  }

  heard(m: Message): void {
    const c = this.byId.get(m.conversationId);
    if (!c || m.seq <= c.lastSeq) return;
    c.lastSeq = m.seq;
    c.lastMessage = m;
    c.activityAt = m.createdAt;
    this.count(c);
  }

  /** Tells whether this is news, and of a conversation that is in the list. */
  notified(n: Notification): "news" | "known" | "stranger" {
    const c = this.byId.get(n.conversationId);
    if (!c) return "stranger";
    if (n.seq <= c.lastSeq) return "known";
    c.lastSeq = n.seq;
    c.activityAt = new Date(n.timestamp).toISOString();
    c.lastMessage = {
      id: n.messageId,
      conversationId: n.conversationId,
      seq: n.seq,
      senderId: n.sender.id,
      sender: n.sender,
      message: n.preview,
      attachmentUrls: [],
      createdAt: c.activityAt,
    };
    this.count(c);
    return "news";
  }

  /** Oneself has read a conversation up to `seq`. */
  read(id: string, seq: number): void {
    const c = this.byId.get(id);
    if (!c || seq <= c.readSeq) return;
    c.readSeq = seq;
    this.count(c);
  }

  private async reload(): Promise<void> {
    while (this.stale) {
      this.stale = false;
      await this.load();
    }
  }

  private async load(cursor?: string): Promise<void> {
    const page = await this.api.conversations(cursor);
    if (cursor !== undefined || this.byId.size === 0) this.cursor = page.next ?? null;
    for (const fresh of page.conversations) this.take(fresh);
    this.changed();
  }

  private take(fresh: Conversation): void {
    const before = this.byId.get(fresh.id);
    if (before && before.lastSeq > fresh.lastSeq) {
      fresh = { ...fresh, lastSeq: before.lastSeq, lastMessage: before.lastMessage, activityAt: before.activityAt };
    }
    const readSeq = Math.max(fresh.readSeq, before?.readSeq ?? 0);
    this.byId.set(fresh.id, { ...fresh, readSeq, unread: Math.max(0, fresh.lastSeq - readSeq) });
  }

  private count(c: Conversation): void {
    c.unread = Math.max(0, c.lastSeq - c.readSeq);
    this.changed();
  }
}
