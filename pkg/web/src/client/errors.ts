import type { Code } from "./protocol";

/** Whatever goes wrong in the client is a ChatError: a code to decide by and a sentence to show. */
export class ChatError extends Error {
  constructor(
    readonly code: Code,
    message: string,
    /** The field at fault, where there is one. */
    readonly field?: string,
  ) {
    super(message);
    this.name = "ChatError";
  }

  /** Whether the same request may succeed later. */
  get passing(): boolean {
    return passing.has(this.code);
  }
}

const passing: ReadonlySet<Code> = new Set<Code>([
  "offline",
  "timeout",
  "unreachable",
  "unavailable",
  "rate_limited",
  "internal",
  "not_joined",
  "token_expired",
]);

/** Makes a ChatError of whatever was thrown. */
export function asChatError(thrown: unknown): ChatError {
  if (thrown instanceof ChatError) return thrown;
  return new ChatError("unreachable", thrown instanceof Error ? thrown.message : String(thrown));
}
