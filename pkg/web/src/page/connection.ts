import type { DozaarClient, LinkStatus } from "../client";
import { el, icon, say, set } from "./dom";

/** How one side's socket stands, and the switch that takes it offline and back. */
export class Connection {
  readonly node: HTMLElement;
  private readonly words = el("span", { class: "words" });
  private readonly state: HTMLElement;
  private readonly now = el("button", { type: "button", class: "link", "data-testid": "retry-now", hidden: true }, "Try now");
  private readonly toggle: HTMLButtonElement;
  private readonly toggleWords = el("span");

  constructor(private readonly client: DozaarClient) {
    this.state = el("span", { class: "connection-state", role: "status", "data-testid": "status" }, el("span", { class: "dot", "aria-hidden": "true" }), this.words);
    this.toggle = el("button", { type: "button", class: "toggle", "data-testid": "offline-toggle" }, icon("power"), this.toggleWords);
    this.node = el("div", { class: "connection" }, this.state, this.now, this.toggle);
    this.now.addEventListener("click", () => client.retryNow());
    this.toggle.addEventListener("click", () => {
      if (client.status.state === "offline") client.start();
      else client.stop();
    });
    setInterval(() => client.status.state === "waiting" && this.update(), 1_000);
  }

  update(): void {
    const status = this.client.status;
    set(this.state, "data-state", status.state);
    set(this.state, "title", status.state === "waiting" ? status.error.message : undefined);
    say(this.words, wordsOf(status));
    this.now.hidden = status.state !== "waiting";
    say(this.toggleWords, status.state === "offline" ? "Come back" : "Go offline");
    this.toggle.classList.toggle("away", status.state === "offline");
  }
}

function wordsOf(status: LinkStatus): string {
  switch (status.state) {
    case "online":
      return "Connected";
    case "connecting":
      return "Connecting…";
    case "offline":
      return "Offline";
    case "waiting":
      return `Back in ${Math.max(1, Math.ceil((status.until - Date.now()) / 1000))} s`;
  }
}
