import { el } from "./dom";
import { hueOf, initialOf } from "./format";

/** A coloured square with a letter, standing for a listing or a person. */
export function tile(name: string, kind: "listing" | "person", seed = name): HTMLElement {
  return el("span", { class: `tile ${kind} hue-${hueOf(seed)}`, "aria-hidden": "true" }, initialOf(name));
}

/** A dot that says whether somebody is online; the words stand beside it. */
export function dot(): HTMLElement {
  return el("span", { class: "dot", "aria-hidden": "true" });
}
