import "reflect-metadata";
import { randomUUID } from "node:crypto";
import { Controller, Get, INestApplicationContext, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { IoAdapter } from "@nestjs/platform-socket.io";
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import { Kafka, Partitioners, Producer, logLevel } from "kafkajs";
import { createClient } from "redis";
import { Server, ServerOptions, Socket } from "socket.io";
import { Message, setting, topic } from "./message";
import { Store } from "./store";

const store = new Store();
const kafka = new Kafka({ clientId: "gateway", brokers: setting("KAFKA").split(","), logLevel: logLevel.ERROR });
const producer: Producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner });

/** Membership is asked for once in five seconds, as the contract allows. */
const known = new Map<string, { users: Set<string>; until: number }>();
async function isMember(conversationId: string, userId: string): Promise<boolean> {
  let entry = known.get(conversationId);
  if (entry === undefined || entry.until < Date.now()) {
    entry = { users: new Set(await store.members(conversationId)), until: Date.now() + 5000 };
    known.set(conversationId, entry);
  }
  return entry.users.has(userId);
}

/** One request to Kafka at a time, as its idempotent producer wants it; what comes meanwhile shares the next one. Each sender waits for its own. */
interface Waiting { key: string; value: string; done: () => void; failed: (error: unknown) => void }
let waiting: Waiting[] = [];
let sending = false;
function publish(key: string, value: string): Promise<void> {
  return new Promise((done, failed) => {
    waiting.push({ key, value, done, failed });
    void flush();
  });
}
async function flush(): Promise<void> {
  if (sending) return;
  sending = true;
  while (waiting.length > 0) {
    const batch = waiting.splice(0, 1000);
    try {
      await producer.send({ topic, acks: -1, messages: batch.map(({ key, value }) => ({ key, value })) });
      for (const one of batch) one.done();
    } catch (error) {
      for (const one of batch) one.failed(error);
    }
  }
  sending = false;
}

@WebSocketGateway({ namespace: "/chat" })
class ChatGateway {
  @SubscribeMessage("join:conversation")
  async join(@ConnectedSocket() socket: Socket, @MessageBody() body: { conversationId: string; afterSeq?: number }): Promise<object> {
    if (!(await isMember(body.conversationId, socket.data.user.sub))) return { ok: false, code: "not_found" };
    await socket.join(body.conversationId); // first: what comes while the missed is read may come twice, but none is left out
    if (body.afterSeq !== undefined) {
      for (const m of await store.after(body.conversationId, body.afterSeq)) socket.emit("new:message", m);
    }
    return { ok: true };
  }

  @SubscribeMessage("send:message")
  async send(@ConnectedSocket() socket: Socket, @MessageBody() body: { conversationId: string; message: string }): Promise<object> {
    const { conversationId, message } = body;
    if (typeof message !== "string" || message.length === 0 || message.length > 4000) return { ok: false, code: "invalid" };
    const mayIt = (socket.data.before ?? Promise.resolve()).then(() => isMember(conversationId, socket.data.user.sub)); // a sender's messages stay in order
    socket.data.before = mayIt.catch(() => undefined);
    if (!(await mayIt)) return { ok: false, code: "not_found" };
    const m: Message = { id: randomUUID(), conversationId, senderId: socket.data.user.sub, message, createdAt: new Date().toISOString() };
    try {
      await publish(conversationId, JSON.stringify(m));
    } catch {
      return { ok: false, code: "unavailable" };
    }
    return { ok: true, messageId: m.id };
  }
}

@Controller()
class HealthController {
  @Get("health")
  health(): string {
    return "ok";
  }
}

class RedisIoAdapter extends IoAdapter {
  constructor(app: INestApplicationContext, private readonly adapter: ReturnType<typeof createAdapter>) {
    super(app);
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const server: Server = super.createIOServer(port, { ...options, serveClient: false, pingInterval: 25_000, pingTimeout: 60_000 });
    server.adapter(this.adapter);
    server.of("/chat").use((socket, next) => {
      try {
        socket.data.user = jwt.verify(socket.handshake.auth.token, setting("SECRET"), { algorithms: ["HS256"] });
        next();
      } catch (error) {
        next(error as Error);
      }
    });
    return server;
  }
}

@Module({ providers: [ChatGateway], controllers: [HealthController] })
class AppModule {}

async function main(): Promise<void> {
  const pub = createClient({ url: `redis://${setting("REDIS")}` });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect(), store.open(), producer.connect()]);
  const app = await NestFactory.create(AppModule, { logger: ["error"] });
  app.useWebSocketAdapter(new RedisIoAdapter(app, createAdapter(pub, sub)));
  const [host, port] = setting("LISTEN").split(":");
  await app.listen(Number(port), host);
}

process.on("SIGTERM", () => process.exit(0));
void main();
