import type { Clock } from "./clock";
import { ChatError } from "./errors";
import type { User } from "./protocol";

interface Claims {
  sub?: unknown;
  username?: unknown;
  exp?: unknown;
}

/** Reads a token's claims without checking the signature: that is the server's business. */
export function readToken(token: string): { user: User; expiresAt: number } {
  const claims = decode(token);
  if (typeof claims.sub !== "string" || typeof claims.exp !== "number") {
    throw new ChatError("unauthorized", "the token has no sub or exp");
  }
  const username = typeof claims.username === "string" ? claims.username : "";
  return { user: { id: claims.sub.toLowerCase(), username }, expiresAt: claims.exp * 1000 };
}

function decode(token: string): Claims {
  try {
    const base64 = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims === "object" && claims !== null) return claims;
  } catch {
    // told below, without the token
  }
  throw new ChatError("unauthorized", "this is not a token");
}

/** Keeps a token that has time left, asking `provide` for a new one when it has not. */
export class Tokens {
  private current: { token: string; got: number; expiresAt: number } | undefined;
  private asking: Promise<string> | undefined;

  constructor(
    private readonly provide: () => Promise<string>,
    private readonly clock: Clock,
  ) {}

  /** The token in use, or a new one where it is due for renewal. */
  async get(): Promise<string> {
    const c = this.current;
    return c && this.renewIn() > 0 ? c.token : this.renew();
  }

  /** A new token; several askers share one question. */
  renew(): Promise<string> {
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return this.asking;
  }

  /** Milliseconds until the token should be replaced: when a tenth of its life is left. */
  renewIn(): number {
    const c = this.current;
    if (!c) return 0;
    return c.expiresAt - (c.expiresAt - c.got) / 10 - this.clock.now();
  }

  /** Forgets a token that the server refused. */
  drop(): void {
    this.current = undefined;
  }

  private async ask(): Promise<string> {
    const token = await this.provide();
    this.current = { token, got: this.clock.now(), expiresAt: readToken(token).expiresAt };
    return token;
  }
}
