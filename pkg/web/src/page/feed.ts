import type { Entry, Missed } from "../client";
import { Bubble, type BubbleActions, type Shown } from "./bubble";
import { el, say } from "./dom";
import { dayKey, dayName, plural } from "./format";
import { Rows, type Row } from "./rows";

type Item = { key: string; kind: "line"; text: string; missed: boolean } | ({ key: string; kind: "message" } & Shown);

const together = 3 * 60_000; // messages of one person this close are one group

/** The messages of one conversation between the lines that divide them: days, and what was missed. */
export class Feed {
  private readonly rows: Rows<Item>;

  constructor(parent: HTMLElement, actions: BubbleActions) {
    this.rows = new Rows(
      parent,
      (item) => item.key,
      (item) => (item.kind === "line" ? new Line(item.missed) : new MessageRow(item, actions)),
    );
  }

  update(entries: readonly Entry[], missed: Missed | undefined, named: boolean): void {
    this.rows.update(itemsOf(entries, missed, named));
  }
}

function itemsOf(entries: readonly Entry[], missed: Missed | undefined, named: boolean): Item[] {
  const items: Item[] = [];
  let before: Entry | undefined;
  for (const entry of entries) {
    let leads = before?.sender.id !== entry.sender.id || entry.at - before.at > together;
    if (!before || dayKey(before.at) !== dayKey(entry.at)) {
      items.push({ key: `day ${dayKey(entry.at)} ${items.length === 0 ? "" : entry.key}`, kind: "line", text: dayName(entry.at), missed: false });
      leads = true;
    }
    if (missed && entry.seq === missed.fromSeq) {
      items.push({ key: "missed", kind: "line", text: missedText(missed), missed: true });
      leads = true;
    }
    items.push({ key: entry.key, kind: "message", entry, leads, named });
    before = entry;
  }
  return items;
}

function missedText({ count, recovered }: Missed): string {
  const many = plural(count, "message", "messages");
  return recovered ? `${many} while you were away` : `${many} while you were away; these are the newest`;
}

class Line implements Row<Item> {
  readonly node: HTMLElement;
  private readonly text = el("span");

  constructor(missed: boolean) {
    this.node = el("div", { class: missed ? "line missed" : "line", ...(missed ? { "data-testid": "missed" } : {}) }, this.text);
  }

  update(item: Item): void {
    if (item.kind === "line") say(this.text, item.text);
  }
}

class MessageRow implements Row<Item> {
  readonly node: HTMLElement;
  private readonly bubble: Bubble;

  constructor(item: Shown, actions: BubbleActions) {
    this.bubble = new Bubble(item, actions);
    this.node = this.bubble.node;
  }

  update(item: Item): void {
    if (item.kind === "message") this.bubble.update(item);
  }
}
