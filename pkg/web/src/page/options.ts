export type Side = "buyer" | "seller";

/** What the page's address asks for. */
export interface PageOptions {
  /** One side alone, or both. */
  sides: readonly Side[];
  /** The gateway's origin. */
  gateway: string;
  transports: string[];
}

/** `?as=buyer|seller`, `?gateway=http://host:port`, `?transport=websocket|polling`. What makes no sense is ignored. */
export function readOptions(address: URL): PageOptions {
  const as = address.searchParams.get("as");
  const transport = address.searchParams.get("transport");
  return {
    sides: as === "buyer" || as === "seller" ? [as] : ["buyer", "seller"],
    gateway: originOf(address.searchParams.get("gateway")) ?? address.origin,
    transports: transport === "websocket" || transport === "polling" ? [transport] : ["websocket", "polling"],
  };
}

function originOf(text: string | null): string | undefined {
  if (!text || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === "http:" || url.protocol === "https:" ? url.origin : undefined;
}
