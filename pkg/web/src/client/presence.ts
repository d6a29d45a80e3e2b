import { Alarm, type Clock } from "./clock";
import type { Link } from "./link";
import { limits, type PresenceEvent, type Status } from "./protocol";

const askAgain = 60_000; // announcements may be lost; the answer heals that

/** Who of the watched users is online. While oneself is offline nothing is known of anybody. */
export class Presence {
  private readonly watched = new Set<string>();
  private readonly known = new Map<string, Status & { at: number }>();
  private readonly again: Alarm;

  constructor(
    private readonly link: Link,
    clock: Clock,
    private readonly changed: (userId: string) => void,
  ) {
    this.again = new Alarm(clock);
    link.on("status", ({ state }) => {
      if (state === "online") this.ask(this.watched);
      else this.again.clear();
    });
    link.on("user:online", (e) => this.announced(e, true));
    link.on("user:offline", (e) => this.announced(e, false));
    link.on("online:status", ({ statuses }) => {
      for (const [id, status] of Object.entries(statuses)) this.learn(id, status, 0);
    });
  }

  of(userId: string): Status {
    const { online = null, lastSeen } = this.known.get(userId) ?? {};
    const seen = lastSeen === undefined ? {} : { lastSeen };
    return { online: this.link.online ? online : null, ...seen };
  }

  watch(userIds: Iterable<string>): void {
    const fresh = [...new Set(userIds)].filter((id) => !this.watched.has(id));
    for (const id of fresh) this.watched.add(id);
    this.ask(fresh);
  }

  private ask(ids: Iterable<string>): void {
    const all = [...ids];
    for (let i = 0; i < all.length; i += limits.statusIds) {
      this.link.tell("get:online_status", { userIds: all.slice(i, i + limits.statusIds) });
    }
    if (this.link.online && !this.again.set) this.again.in(askAgain, () => this.ask(this.watched));
  }

  private announced({ userId, timestamp }: PresenceEvent, online: boolean): void {
    if (timestamp < (this.known.get(userId)?.at ?? 0)) return; // overtaken by a newer one
    this.learn(userId, online ? { online } : { online, lastSeen: timestamp }, timestamp);
  }

  private learn(userId: string, status: Status, at: number): void {
    const before = this.known.get(userId);
    this.known.set(userId, { ...status, at: Math.max(at, before?.at ?? 0) });
    this.changed(userId);
  }
}
