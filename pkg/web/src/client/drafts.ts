import type { Pending } from "./outbox";

/** Where unsent messages survive a reload: `sessionStorage`, `localStorage`, or anything like them. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Keeps the messages of one user that the server has not acknowledged, by conversation. */
export class Drafts {
  private readonly key: string;
  private readonly all: Record<string, readonly Pending[]>;

  constructor(
    private readonly store: Store | undefined,
    userId: string,
  ) {
    this.key = `dozaar.outbox.${userId}`;
    this.all = this.read();
  }

  /** Conversations with unsent messages. */
  get conversations(): string[] {
    return Object.keys(this.all);
  }

  of(conversationId: string): readonly Pending[] {
    return this.all[conversationId] ?? [];
  }

  keep(conversationId: string, pending: readonly Pending[]): void {
    if (pending.length === 0 && !(conversationId in this.all)) return;
    if (pending.length > 0) this.all[conversationId] = pending;
    else delete this.all[conversationId];
    try {
      if (this.conversations.length === 0) this.store?.removeItem(this.key);
      else this.store?.setItem(this.key, JSON.stringify(this.all));
    } catch {
      // no room: what is unsent lives as long as the page
    }
  }

  /** What was under way when the page ended may or may not have arrived; the same id makes a repeat harmless. */
  private read(): Record<string, readonly Pending[]> {
    try {
      const kept = JSON.parse(this.store?.getItem(this.key) ?? "{}") as Record<string, Pending[]>;
      for (const list of Object.values(kept)) {
        for (const p of list) {
          p.state = "waiting";
          delete p.error;
        }
      }
      return kept;
    } catch {
      return {};
    }
  }
}
