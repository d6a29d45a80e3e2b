import { limits } from "../client";
import { el, foreign, icon, iconButton, say } from "./dom";

export interface ComposerActions {
  send(text: string, attachmentUrls: readonly string[]): void;
  /** The text changed. */
  composing(empty: boolean): void;
}

/** Where a message is written. Enter sends, Shift and Enter begins a new line. */
export class Composer {
  readonly node: HTMLFormElement;
  private readonly text: HTMLTextAreaElement;
  private readonly sendButton: HTMLButtonElement;
  private readonly count = el("span", { class: "count", role: "status" });
  private readonly chips = el("ul", { class: "chips", "aria-label": "Attachments" });
  private readonly address: HTMLInputElement;
  private readonly attachRow: HTMLElement;
  private readonly hint = el("p", { class: "hint", hidden: true });
  private urls: string[] = [];

  constructor(
    owner: string,
    private readonly actions: ComposerActions,
  ) {
    this.text = el("textarea", { rows: 1, "data-testid": "composer", "aria-label": `Message from ${owner}`, placeholder: "Write a message", dir: "auto", autocomplete: "off", enterkeyhint: "send" });
    this.sendButton = el("button", { type: "submit", class: "send", "data-testid": "send", "aria-label": "Send", title: "Send", disabled: true }, icon("send"));
    this.address = el("input", { type: "url", "data-testid": "attachment-url", "aria-label": "Address of a file or picture", placeholder: "https://… address of a file or picture", maxlength: limits.attachmentChars, autocomplete: "off" });
    const add = el("button", { type: "button", class: "link", "data-testid": "attachment-add" }, "Add");
    this.attachRow = el("div", { class: "attach", hidden: true }, this.address, add);
    const clip = iconButton("clip", "Attach by address", { "data-testid": "attach", "aria-expanded": "false" });
    this.node = el("form", { class: "composer", novalidate: true }, this.hint, this.chips, this.attachRow, el("div", { class: "writing" }, clip, this.text, this.count, this.sendButton));

    this.node.addEventListener("submit", (e) => {
      e.preventDefault();
      this.submit();
    });
    this.text.addEventListener("input", () => {
      this.show();
      actions.composing(this.text.value === "");
    });
    this.text.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      this.submit();
    });
    clip.addEventListener("click", () => {
      this.attachRow.hidden = !this.attachRow.hidden;
      clip.setAttribute("aria-expanded", String(!this.attachRow.hidden));
      (this.attachRow.hidden ? this.text : this.address).focus();
    });
    add.addEventListener("click", () => this.attach());
    this.address.addEventListener("keydown", (e) => {
      if (e.key !== "Enter") return;
      e.preventDefault();
      this.attach();
    });
  }

  /** What is written and not sent; one conversation's is put away while another is open. */
  get draft(): { text: string; urls: readonly string[] } {
    return { text: this.text.value, urls: this.urls };
  }

  set draft({ text, urls }: { text: string; urls: readonly string[] }) {
    this.text.value = text;
    this.urls = [...urls];
    this.attachRow.hidden = true;
    this.show();
  }

  focus(): void {
    this.text.focus();
  }

  /** A line above the text: why what is sent does not go out now. */
  tell(hint: string): void {
    this.hint.hidden = hint === "";
    say(this.hint, hint);
  }

  private submit(): void {
    if (this.address.value.trim() !== "" && !this.attach()) return;
    if (!this.sendable) return;
    const { text, urls } = this.draft;
    this.draft = { text: "", urls: [] };
    this.actions.send(text.trim() === "" ? "" : text, urls);
    this.focus();
  }

  private attach(): boolean {
    const address = this.address.value.trim();
    const fault = faultOf(address, this.urls.length);
    this.address.setCustomValidity(fault);
    if (fault !== "") {
      this.address.reportValidity();
      return false;
    }
    this.urls.push(address);
    this.address.value = "";
    this.show();
    return true;
  }

  private get chars(): number {
    return Array.from(this.text.value).length;
  }

  private get sendable(): boolean {
    return (this.text.value.trim() !== "" || this.urls.length > 0) && this.chars <= limits.messageChars;
  }

  private show(): void {
    this.sendButton.disabled = !this.sendable;
    const left = limits.messageChars - this.chars;
    this.count.classList.toggle("over", left < 0);
    say(this.count, left > 500 ? "" : left < 0 ? `${-left} too many` : `${left} left`);
    this.text.style.height = "auto";
    if (this.text.scrollHeight > 0) this.text.style.height = `${this.text.scrollHeight}px`; // 0: not shown now
    this.chips.replaceChildren(...this.urls.map((url, i) => this.chip(url, i)));
  }

  private chip(url: string, index: number): HTMLElement {
    const remove = iconButton("close", "Remove this attachment");
    remove.addEventListener("click", () => {
      this.urls.splice(index, 1);
      this.show();
    });
    return el("li", {}, foreign(url), remove);
  }
}

/** What is wrong with an address, or "". The server's rule, told before it is asked. */
function faultOf(address: string, already: number): string {
  if (already >= limits.attachments) return `At most ${limits.attachments} attachments fit one message.`;
  if (!/^https?:\/\/[^/]/i.test(address) || !URL.canParse(address)) return "This must be an http or https address.";
  return "";
}
