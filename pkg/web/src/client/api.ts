import { ChatError } from "./errors";
import type { Code, Conversation, Message } from "./protocol";
import type { Tokens } from "./token";

export interface HistoryQuery {
  beforeSeq?: number;
  afterSeq?: number;
  limit?: number;
}

/** The gateway's HTTP API, as far as a chat needs it. Every failure is a ChatError. */
export class Api {
  constructor(
    private readonly gateway: string,
    private readonly tokens: Tokens,
    private readonly fetch: typeof globalThis.fetch,
  ) {}

  /** The caller's conversations, newest activity first; `next` asks for the following page. */
  conversations(cursor?: string): Promise<{ conversations: Conversation[]; next: string | null }> {
    return this.get("/v1/conversations", { cursor });
  }

  /** Messages in ascending order: the newest below `beforeSeq`, the oldest above `afterSeq`, or the newest. */
  async history(conversationId: string, query: HistoryQuery): Promise<Message[]> {
    const path = `/v1/conversations/${encodeURIComponent(conversationId)}/messages`;
    const page = await this.get<{ messages: Message[] }>(path, { ...query });
    return page.messages;
  }

  private async get<T>(path: string, query: Record<string, string | number | undefined>): Promise<T> {
    const url = new URL(path, this.gateway);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers = { Authorization: `Bearer ${await this.tokens.get()}` };
    let response: Response;
    try {
      response = await this.fetch(url, { headers, credentials: "omit", signal: AbortSignal.timeout(15_000) });
    } catch {
      throw new ChatError("unreachable", "the server cannot be reached");
    }
    if (!response.ok) throw await refusal(response);
    return (await response.json()) as T;
  }
}

/** Reads an RFC 9457 answer; one without a code gets the nearest. */
async function refusal(response: Response): Promise<ChatError> {
  const body = (await response.json().catch(() => ({}))) as { code?: Code; detail?: string; title?: string; field?: string };
  const text = body.detail ?? body.title ?? `the server answered ${response.status}`;
  return new ChatError(body.code ?? codeOf(response.status), text, body.field);
}

function codeOf(status: number): Code {
  const codes: Record<number, Code> = { 400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 413: "too_large", 429: "rate_limited" };
  return codes[status] ?? (status >= 500 ? "unavailable" : "invalid");
}
