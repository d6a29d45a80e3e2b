/** The typed client of Dozaar: `DozaarClient`, and the types of what it gives and takes. */
export { DozaarClient, type ClientOptions } from "./client";
export { ChatError } from "./errors";
export type { LinkStatus } from "./link";
export { LiveConversation, type Entry, type State } from "./live";
export type { Missed, Phase } from "./catchup";
export { connectWith, type Connect, type SocketLike } from "./socket";
export { readToken } from "./token";
export { limits } from "./protocol";
export type * from "./protocol";
