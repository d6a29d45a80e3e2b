import { ChatError } from "../client";
import type { Side } from "./options";

interface Participant {
  userId: string;
  username: string;
  token: string;
}

type Answer = Record<Side, Participant> & { conversations: string[] };

const sharedFor = 5_000;

/** The demonstration's sign-in: `POST /dev/session` of the gateway, which gives both sides a token. */
export class DevSession {
  private last: { at: number; answer: Promise<Answer> } | undefined;

  constructor(private readonly gateway: string) {}

  /** A new token for one side; both sides asking at once share one answer. */
  async token(side: Side): Promise<string> {
    if (!this.last || Date.now() - this.last.at > sharedFor) this.last = { at: Date.now(), answer: this.ask() };
    const { answer } = this.last;
    try {
      return (await answer)[side].token;
    } catch (error) {
      if (this.last?.answer === answer) this.last = undefined;
      throw error;
    }
  }

  private async ask(): Promise<Answer> {
    let response: Response;
    try {
      response = await fetch(new URL("/dev/session", this.gateway), { method: "POST", credentials: "omit", signal: AbortSignal.timeout(10_000) });
    } catch {
      throw new ChatError("unreachable", `the gateway at ${this.gateway} cannot be reached`);
    }
    if (response.status === 404) {
      throw new ChatError("not_found", `the gateway at ${this.gateway} has no demonstration; start it with: dozaar all --dev`);
    }
    if (!response.ok) throw new ChatError("unavailable", "the gateway is not ready yet");
    return (await response.json()) as Answer;
  }
}
