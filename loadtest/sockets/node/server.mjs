// Node's Socket.IO server, as it comes, behind the same commands as the servers in Go: one JSON object
// a line on stdin, one on stdout in answer. It ends when stdin does.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Server } from "socket.io";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const http = createServer();
const io = new Server(http, { serveClient: false, pingInterval: 25_000, pingTimeout: 60_000 });

io.on("connection", (socket) => {
  socket.on("echo", (text, ack) => ack(text));
  socket.on("join", (ack) => {
    socket.join("room");
    ack();
  });
  socket.on("say", (text) => io.to("room").emit("said", text));
});

const commands = {
  stat: () => {
    const { user, system } = process.cpuUsage();
    return {
      cpuSeconds: (user + system) / 1e6,
      heap: process.memoryUsage().heapUsed,
      running: process.getActiveResourcesInfo().length,
    };
  },
  collect: () => {
    global.gc();
    global.gc();
    return {};
  },
  versions: () => ({
    node: process.version,
    "socket.io": require("socket.io/package.json").version,
    ws: require("ws/package.json").version,
  }),
};

http.listen(0, "127.0.0.1", 4096, () => {
  console.log(JSON.stringify({ address: `127.0.0.1:${http.address().port}` }));
  createInterface({ input: process.stdin })
    .on("line", (line) => console.log(JSON.stringify(commands[JSON.parse(line).do]())))
    .on("close", () => process.exit(0));
});
