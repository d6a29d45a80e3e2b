/** Elements are made, never parsed: nothing on this page turns a string into markup. */
type Attributes = Record<string, string | number | boolean | undefined>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  setAll(node, attributes);
  node.append(...children);
  return node;
}

/** An attribute that is absent, present, or has a value. */
export function set(node: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value === true ? "" : value)) node.setAttribute(name, value === true ? "" : String(value));
}

/** Text that somebody else wrote: shown as it is, and its direction kept to itself. */
export function foreign(text: string, attributes: Attributes = {}): HTMLElement {
  return el("bdi", attributes, text);
}

/** Sets a node's text where it differs, so that screen readers hear only changes. */
export function say(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

const paths = {
  back: "M15 5l-7 7 7 7",
  clip: "M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7l-8.3 8.3a1.7 1.7 0 0 1-2.4-2.4l7.5-7.5",
  close: "M6 6l12 12M18 6L6 18",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7.5V12l3 2",
  down: "M12 5v14M6 13l6 6 6-6",
  file: "M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5",
  once: "M5 12.5l4.5 4.5L19 7.5",
  open: "M14 4h6v6M20 4l-9 9M18 14v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h4",
  power: "M12 3v8M6.5 6.8a8 8 0 1 0 11 0",
  send: "M12 19V5M5.5 11.5L12 5l6.5 6.5",
  twice: "M2 12.5l4.5 4.5L16 7.5M12 16.5l.5.5L22 7.5",
  warn: "M12 8v5M12 16.5v.1M10.3 4.2L2.7 17.5A2 2 0 0 0 4.4 20.5h15.2a2 2 0 0 0 1.7-3L13.7 4.2a2 2 0 0 0-3.4 0z",
};

export type IconName = keyof typeof paths;

/** An icon; decoration only, the words beside it or the label of its button say what it means. */
export function icon(name: IconName): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  setAll(svg, { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true" });
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}

/** A button that shows an icon and is called by its label. */
export function iconButton(name: IconName, label: string, attributes: Attributes = {}): HTMLButtonElement {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, ...attributes }, icon(name));
}

function setAll(node: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) set(node, name, value);
}
