import { Backoff } from "./backoff";
import { Alarm, type Clock } from "./clock";
import { Emitter } from "./emitter";
import { asChatError, ChatError } from "./errors";
import { serverEvents, type Ack, type ClientEvents, type Code, type ServerEvents } from "./protocol";
import type { Connect, SocketLike } from "./socket";
import type { Tokens } from "./token";

export type LinkStatus =
  /** By choice: `start` has not been called, or `stop` has. */
  | { state: "offline" }
  | { state: "connecting" }
  | { state: "online" }
  /** Cut off; the next try comes by itself at `until` (Unix milliseconds). */
  | { state: "waiting"; until: number; error: ChatError };

type LinkEvents = ServerEvents & { status: LinkStatus };

const connectDeadline = 20_000;
const ackDeadline = 10_000;
const steady = 10_000; // a connection that lasts this long ends the back-off

/**
 * One connection to the gateway, kept: it connects, comes back after every kind of loss, waits longer
 * and longer between tries, and replaces its token before it runs out.
 *
 * Nothing is queued here. What is asked for without a connection fails with `offline`, what is under
 * way when it breaks too; whoever asked decides what is worth repeating.
 */
export class Link extends Emitter<LinkEvents> {
  private socket: SocketLike | undefined;
  private current: LinkStatus = { state: "offline" };
  private readonly waiting = new Set<(error: ChatError) => void>();
  private readonly retry: Alarm;
  private readonly deadline: Alarm;
  private readonly renewal: Alarm;
  private readonly steadiness: Alarm;
  private readonly backoff: Backoff;
  private attempt = 0;

  constructor(
    private readonly gateway: string,
    private readonly tokens: Tokens,
    private readonly connect: Connect,
    private readonly clock: Clock,
    random?: () => number,
  ) {
    super();
    this.retry = new Alarm(clock);
    this.deadline = new Alarm(clock);
    this.renewal = new Alarm(clock);
    this.steadiness = new Alarm(clock);
    this.backoff = new Backoff(500, 20_000, random);
  }

  get status(): LinkStatus {
    return this.current;
  }

  get online(): boolean {
    return this.current.state === "online";
  }

  /** Wants a connection from now on. */
  start(): void {
    if (this.current.state !== "offline") return;
    this.backoff.reset();
    void this.open();
  }

  /** Wants none any more. */
  stop(): void {
    this.drop(new ChatError("offline", "you are offline"));
    this.retry.clear();
    this.become({ state: "offline" });
  }

  /** Tries at once where the next try would come later: the network is back, or a person is impatient. */
  retryNow(): void {
    if (this.current.state === "waiting") void this.open();
  }

  /** Emits an event and waits for what a good acknowledgement carries. Fails with a ChatError. */
  request<E extends keyof ClientEvents>(event: E, payload: ClientEvents[E][0]): Promise<ClientEvents[E][1]> {
    return new Promise((resolve, reject) => {
      const socket = this.socket;
      if (!socket || !this.online) {
        reject(new ChatError("offline", "there is no connection"));
        return;
      }
      const done = (): void => {
        cancel();
        this.waiting.delete(fail);
      };
      const fail = (error: ChatError): void => {
        done();
        reject(error);
      };
      const cancel = this.clock.after(ackDeadline, () => fail(new ChatError("timeout", "the server did not answer in time")));
      this.waiting.add(fail);
      socket.emit(event, payload, (answer) => {
        const ack = answer as Ack<ClientEvents[E][1]>;
        if (ack.ok) {
          done();
          resolve(ack);
        } else {
          fail(new ChatError(ack.code, ack.error, ack.field));
        }
      });
    });
  }

  /** Emits an event that nobody waits for; without a connection it is forgotten. */
  tell<E extends keyof ClientEvents>(event: E, payload: ClientEvents[E][0]): void {
    if (this.online) this.socket?.emit(event, payload);
  }

  private async open(): Promise<void> {
    const attempt = ++this.attempt;
    this.retry.clear();
    this.become({ state: "connecting" });
    let token: string;
    try {
      token = await this.tokens.get();
    } catch (error) {
      if (attempt === this.attempt) this.lost(asChatError(error));
      return;
    }
    if (attempt !== this.attempt) return;

    const socket = this.connect(this.gateway, token);
    this.socket = socket;
    const mine = (): boolean => this.socket === socket;
    this.deadline.in(connectDeadline, () => this.lost(new ChatError("timeout", "the server did not answer in time")));
    socket.on("connect", () => mine() && this.connected());
    socket.on("connect_error", (error) => mine() && this.refused(error));
    socket.on("disconnect", (reason) => mine() && this.lost(new ChatError("unreachable", lossOf(String(reason)))));
    for (const event of serverEvents) {
      socket.on(event, (payload) => mine() && this.fire(event, payload as never));
    }
  }

  private connected(): void {
    this.deadline.clear();
    this.steadiness.in(steady, () => this.backoff.reset());
    this.scheduleRenewal();
    this.become({ state: "online" });
  }

  private refused(thrown: unknown): void {
    const { message, data } = thrown as { message?: string; data?: { code?: Code } };
    const code = data?.code;
    if (code === "unauthorized" || code === "token_expired") this.tokens.drop();
    this.lost(new ChatError(code ?? "unreachable", code ? (message ?? code) : "the server cannot be reached"));
  }

  /** The connection, or the attempt, is over: the next one is due after a while. */
  private lost(error: ChatError): void {
    this.drop(error);
    const wait = this.backoff.next();
    this.retry.in(wait, () => void this.open());
    this.become({ state: "waiting", until: this.clock.now() + wait, error });
  }

  private drop(error: ChatError): void {
    this.attempt++;
    const socket = this.socket;
    this.socket = undefined;
    socket?.disconnect();
    for (const alarm of [this.deadline, this.renewal, this.steadiness]) alarm.clear();
    for (const fail of [...this.waiting]) fail(error.code === "offline" ? error : new ChatError("offline", error.message));
  }

  private scheduleRenewal(): void {
    this.renewal.in(Math.max(1000, this.tokens.renewIn()), () => void this.renew());
  }

  private async renew(): Promise<void> {
    const socket = this.socket;
    try {
      await this.request("auth:refresh", { token: await this.tokens.renew() });
    } catch {
      if (socket === this.socket) this.renewal.in(30_000, () => void this.renew());
      return; // at worst the server ends this connection and the next one asks for a new token
    }
    if (socket === this.socket) this.scheduleRenewal();
  }

  private become(status: LinkStatus): void {
    this.current = status;
    this.fire("status", status);
  }
}

function lossOf(reason: string): string {
  return reason === "io server disconnect" ? "the server ended the connection" : "the connection was lost";
}
