import { el, set } from "./dom";
import { readOptions, type Side } from "./options";
import { Pane } from "./pane";
import { DevSession } from "./session";
import { Sides } from "./sides";

const options = readOptions(new URL(location.href));
const session = new DevSession(options.gateway);
const panes = new Map<Side, Pane>(options.sides.map((side) => [side, new Pane(side, options, session)]));
const unread = new Map<Side, number>();

const brand = el("div", { class: "brand" }, el("span", { class: "brand-mark", "aria-hidden": "true" }), el("h1", {}, "Dozaar"));
const stage = el("main", { class: "stage" }, ...[...panes.values()].map((p) => p.node));
const sides = new Sides(options.sides, show);
const where = el("p", { class: "where" }, options.gateway.replace(/^https?:\/\//, ""));
const bar = el("header", { class: "bar" }, brand, ...(options.sides.length > 1 ? [sides.node] : []), where);

/** On a narrow screen: which pane is in front. On a wide one both are there. */
function show(side: Side): void {
  set(stage, "data-front", side);
  panes.get(side)?.look();
}

for (const [side, pane] of panes) {
  pane.onUnread = (count) => {
    unread.set(side, count);
    sides.unread(side, count);
    const all = [...unread.values()].reduce((sum, n) => sum + n, 0);
    document.title = all > 0 ? `(${all}) Dozaar` : "Dozaar";
  };
}

const front = options.sides[0]!;
sides.current(front);
show(front);
set(stage, "data-count", options.sides.length);
document.body.append(bar, stage);
