import type { Conversation, Member, Status, User } from "../client";

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const yearFormat = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const shortFormat = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

const minute = 60_000;
const day = 24 * 60 * minute;

export function timeOf(at: number): string {
  return timeFormat.format(at);
}

/** A key that is the same for all times of one local day. */
export function dayKey(at: number): string {
  const d = new Date(at);
  return `${d.getFullYear()}-${d.getMonth() + 1}-${d.getDate()}`;
}

export function dayName(at: number, now = Date.now()): string {
  if (dayKey(at) === dayKey(now)) return "Today";
  if (dayKey(at) === dayKey(now - day)) return "Yesterday";
  return (Math.abs(now - at) < 300 * day ? dayFormat : yearFormat).format(at);
}

/** As short as a list needs: the time today, the day before. */
export function briefly(at: number, now = Date.now()): string {
  if (dayKey(at) === dayKey(now)) return timeOf(at);
  return dayKey(at) === dayKey(now - day) ? "Yesterday" : shortFormat.format(at);
}

export function presenceText(s: Status, now = Date.now()): string {
  if (s.online) return "online";
  if (s.lastSeen === undefined) return s.online === null ? "" : "offline";
  const ago = now - s.lastSeen;
  if (ago < minute) return "last seen just now";
  if (ago < 60 * minute) return `last seen ${Math.floor(ago / minute)} min ago`;
  if (dayKey(s.lastSeen) === dayKey(now)) return `last seen at ${timeOf(s.lastSeen)}`;
  return `last seen ${briefly(s.lastSeen, now)}, ${timeOf(s.lastSeen)}`;
}

export function peersOf(c: Conversation, me: User): Member[] {
  return c.members.filter((m) => m.userId !== me.id);
}

/** What a conversation is about, by the marketplace's metadata, else by who is in it. */
export function subjectOf(c: Conversation, me: User): { title: string; price: string } {
  const { listing, price } = (c.metadata ?? {}) as { listing?: unknown; price?: unknown };
  const names = peersOf(c, me).map((m) => m.username);
  return {
    title: typeof listing === "string" && listing !== "" ? listing : names.join(", ") || "Conversation",
    price: typeof price === "string" || typeof price === "number" ? String(price) : "",
  };
}

/** One of eight quiet colours, always the same for the same text. */
export function hueOf(text: string): number {
  let sum = 0;
  for (const c of text) sum = (sum * 31 + c.codePointAt(0)!) % 9973;
  return sum % 8;
}

export function initialOf(text: string): string {
  return (Array.from(text.trim())[0] ?? "?").toUpperCase();
}

export function plural(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
