import { io } from "socket.io-client";

/** As much of a Socket.IO socket as the client needs; one is made for each attempt to connect. */
export interface SocketLike {
  on(event: string, listener: (payload?: unknown) => void): unknown;
  emit(event: string, payload: unknown, acknowledge?: (answer: unknown) => void): unknown;
  disconnect(): unknown;
}

/** Starts to connect to a gateway's namespace `/chat`. */
export type Connect = (gateway: string, token: string) => SocketLike;

/**
 * The official client, its own reconnection turned off: it would neither come back after a kick or a
 * refusal, nor ask for a new token. WebSocket first, which needs no sticky sessions; long polling
 * where a proxy lets none through.
 */
export function connectWith(transports: string[] = ["websocket", "polling"]): Connect {
  return (gateway, token) =>
    io(new URL("/chat", gateway).href, {
      auth: { token },
      transports,
      tryAllTransports: true,
      forceNew: true,
      reconnection: false,
    });
}
