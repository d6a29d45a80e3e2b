import { createServer } from "node:http";
import { Emitter } from "@socket.io/redis-emitter";
import { EachBatchPayload, Kafka, logLevel } from "kafkajs";
import { createClient } from "redis";
import { Message, partitions, setting, topic } from "./message";
import { Store } from "./store";

const store = new Store();
const kafka = new Kafka({ clientId: "worker", brokers: setting("KAFKA").split(","), logLevel: logLevel.ERROR });
const redis = createClient({ url: `redis://${setting("REDIS")}` });
const emitter = new Emitter(redis, {}, "/chat");

const numbers = new Map<string, number>(); // last number by conversation
const members = new Map<string, string[]>();

/** Numbers, stores and tells one message. What comes again keeps its number. */
async function deliver(m: Message, offset: number): Promise<void> {
  const [known, last, users] = await Promise.all([
    store.known(m),
    numbers.get(m.conversationId) ?? store.head(m.conversationId).then((head) => head.seq),
    members.get(m.conversationId) ?? store.members(m.conversationId),
  ]);
  members.set(m.conversationId, users);
  const seq = known || last + 1;
  await store.put(m, seq, offset, users);
  numbers.set(m.conversationId, Math.max(last, seq));
  emitter.to(m.conversationId).emit("new:message", { ...m, seq });
}

/** Conversations of a batch go beside each other, the messages of each in their order. */
async function eachBatch({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
  const lanes = new Map<string, { message: Message; offset: number }[]>();
  for (const record of batch.messages) {
    const message = JSON.parse(record.value!.toString()) as Message;
    const lane = lanes.get(message.conversationId) ?? [];
    lane.push({ message, offset: Number(record.offset) });
    lanes.set(message.conversationId, lane);
  }
  await Promise.all([...lanes.values()].map(async (lane) => {
    for (const { message, offset } of lane) await deliver(message, offset);
  }));
  resolveOffset(batch.lastOffset());
  await heartbeat();
}

async function main(): Promise<void> {
  await Promise.all([redis.connect(), store.open()]);
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] });
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: "worker" });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
  await consumer.run({ eachBatch, partitionsConsumedConcurrently: partitions, autoCommitInterval: 1000 });
  await joined;
  const [host, port] = setting("LISTEN").split(":");
  createServer((request, response) => {
    const url = new URL(request.url!, "http://worker");
    if (request.method === "POST" && url.pathname === "/members") { // a marketplace's backend makes a conversation
      let body = "";
      request.on("data", (chunk) => (body += chunk)).on("end", async () => {
        const { conversationId, users } = JSON.parse(body) as { conversationId: string; users: string[] };
        await Promise.all(users.map((user) => store.addMember(conversationId, user)));
        response.writeHead(201).end();
      });
      return;
    }
    response.writeHead(url.pathname === "/health" ? 200 : 404).end();
  }).listen(Number(port), host);
}

process.on("SIGTERM", () => process.exit(0));
void main();
