/**
 * A random UUID (version 4). Client message ids are not made of the clock: a phone that is ten
 * minutes fast must still be able to send. `crypto.randomUUID` is absent where the page is not a
 * secure context, such as a phone on http://192.168.…
 */
export function newId(): string {
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6]! & 0x0f) | 0x40;
  b[8] = (b[8]! & 0x3f) | 0x80;
  const hex = Array.from(b, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
