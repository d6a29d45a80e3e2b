// Socket.IO as its documentation has it run on several nodes: the Redis adapter, publish and subscribe. It stores nothing. It
// speaks as much of the contract as one message needs: join:conversation, send:message, new:message.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import { createClient } from "redis";
import { Server } from "socket.io";

const [host, port] = process.env.LISTEN.split(":");
const pub = createClient({ url: `redis://${process.env.REDIS}` });
const sub = pub.duplicate();
await Promise.all([pub.connect(), sub.connect()]);

const http = createServer((request, response) => response.writeHead(request.url === "/health" ? 200 : 404).end());
const io = new Server(http, { adapter: createAdapter(pub, sub), serveClient: false, pingInterval: 25_000, pingTimeout: 60_000 });
io.engine.on("connection", (raw) => {
  raw.request = null; // its documentation on memory usage
});
const chat = io.of("/chat");

chat.use((socket, next) => {
  try {
    socket.data.user = jwt.verify(socket.handshake.auth.token, process.env.SECRET, { algorithms: ["HS256"] });
    next();
  } catch (error) {
    next(error);
  }
});

chat.on("connection", (socket) => {
  socket.on("join:conversation", ({ conversationId }, ack) => {
    socket.join(conversationId);
    ack({ ok: true });
  });
  socket.on("send:message", ({ conversationId, message }, ack) => {
    if (!socket.rooms.has(conversationId)) {
      ack({ ok: false, code: "not_found" });
      return;
    }
    const id = randomUUID();
    chat.to(conversationId).emit("new:message", {
      id, conversationId, senderId: socket.data.user.sub, message, createdAt: new Date().toISOString(),
    });
    ack({ ok: true, messageId: id });
  });
});

http.listen(Number(port), host, 4096);
process.on("SIGTERM", () => process.exit(0));
