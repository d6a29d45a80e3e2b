import assert from "node:assert/strict";
import { test } from "node:test";
import { DozaarClient, type ClientOptions, type LiveConversation } from "../src/client";
import { deferred, FakeClock, settle, tokenFor } from "./fakes";
import { FakeGateway } from "./gateway";

const bea = { id: "b0000000-0000-4000-8000-000000000001", username: "Bea" };
const sam = { id: "5e000000-0000-4000-8000-000000000002", username: "Sam" };
const desk = "c0000000-0000-4000-8000-000000000001";
const bike = "c0000000-0000-4000-8000-000000000002";

async function make(prepare: (g: FakeGateway) => void = () => {}, more: Partial<ClientOptions> = {}) {
  const clock = new FakeClock();
  const gateway = new FakeGateway(bea, sam);
  gateway.room(desk);
  gateway.room(bike);
  prepare(gateway);
  const client = await DozaarClient.open({
    gateway: "http://gateway",
    token: async () => tokenFor(bea, clock.now() + 12 * 3_600_000),
    connect: gateway.connect,
    fetch: gateway.fetch,
    clock,
    random: () => 0,
    ...more,
  });
  client.start();
  await settle();
  return { clock, gateway, client };
}

const shown = (c: LiveConversation): string => c.entries().map((e) => `${e.seq ?? "-"}${e.text}:${e.state}`).join(" ");
const many = (gateway: FakeGateway, count: number): void => {
  for (let i = 0; i < count; i++) gateway.write(desk, sam, "");
};

async function open(client: DozaarClient, id = desk): Promise<LiveConversation> {
  const c = client.conversation(id);
  c.join();
  await settle();
  return c;
}

test("a conversation opens with its newest page and goes on live", async () => {
  const { gateway, client } = await make((g) => many(g, 60));
  const c = await open(client);
  assert.deepEqual([c.entries().length, c.entries()[0]!.seq, c.hasOlder], [50, 11, true]);
  assert.deepEqual(gateway.socket.of("join:conversation")[0]!.payload, { conversationId: desk, afterSeq: 60 });
  gateway.write(desk, sam, "live");
  assert.equal(c.entries().at(-1)!.seq, 61);
  assert.equal(await c.older(), 10);
  assert.deepEqual([c.entries().length, c.hasOlder], [61, false]);
});

test("one's own message goes from sending to sent to stored to read, and stays one", async () => {
  const { gateway, client } = await make();
  const c = await open(client);
  gateway.losesMessages = true; // stored, acknowledged, not rebroadcast yet
  c.send("hello");
  const key = c.entries()[0]!.key;
  assert.equal(shown(c), "-hello:sending");
  await settle();
  assert.equal(shown(c), "-hello:sent");
  gateway.socket.deliver("new:message", gateway.room(desk).messages[0]);
  assert.equal(shown(c), "1hello:stored");
  gateway.socket.deliver("message:read", { messageId: "m1", conversationId: desk, seq: 1, readBy: sam.id, timestamp: 1 });
  assert.equal(shown(c), "1hello:read");
  assert.equal(c.entries()[0]!.key, key);
});

test("what the screen has shown is told to the server, once", async () => {
  const { gateway, client } = await make((g) => many(g, 3));
  const c = await open(client);
  assert.equal(client.inbox.get(desk)!.unread, 3);
  c.markRead();
  c.markRead();
  await settle();
  assert.deepEqual(gateway.socket.of("mark:read").map((e) => e.payload), [{ messageId: "m3" }]);
  assert.equal(client.inbox.get(desk)!.unread, 0);
});

test("how far others have read is told with the join, so that a reload or an absence does not forget it", async () => {
  const { gateway, client } = await make((g) => {
    g.write(desk, bea, "one");
    g.write(desk, bea, "two");
    g.readSeqs = { [bea.id]: 2, [sam.id]: 1 };
  });
  const c = await open(client);
  assert.equal(shown(c), "1one:read 2two:stored");
  assert.equal(gateway.sockets.length, 1);
});

test("who answers has read what came before", async () => {
  const { gateway, client } = await make();
  const c = await open(client);
  c.send("hello");
  await settle();
  gateway.write(desk, sam, "hi");
  assert.equal(shown(c), "1hello:read 2hi:received");
});

test("what was missed while away is replayed, in order, and pointed at", async () => {
  const { clock, gateway, client } = await make((g) => many(g, 2));
  const c = await open(client);
  assert.equal(c.catchUp.missed, undefined);
  client.stop();
  gateway.cut();
  many(gateway, 3);
  c.send("from afar");
  assert.equal(c.entries().at(-1)!.state, "sending");
  client.start();
  await clock.advance(1000);
  assert.deepEqual(c.entries().map((e) => e.seq), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(c.catchUp.missed, { fromSeq: 3, count: 3, recovered: true });
  assert.deepEqual(gateway.socket.of("join:conversation")[0]!.payload, { conversationId: desk, afterSeq: 2 });
  assert.equal(gateway.requests.filter((r) => r.includes("/messages")).length, 1, "the history was read once only");
});

test("where too much was missed the newest page takes over, and the rest are older pages", async () => {
  const { clock, gateway, client } = await make((g) => {
    many(g, 2);
    g.replayLimit = 100;
  });
  const c = await open(client);
  gateway.cut();
  many(gateway, 200);
  await clock.advance(500);
  assert.deepEqual([c.entries().length, c.entries()[0]!.seq, c.entries().at(-1)!.seq], [50, 153, 202]);
  assert.deepEqual(c.catchUp.missed, { fromSeq: 153, count: 200, recovered: false });
  gateway.write(desk, sam, "live");
  assert.equal(c.entries().at(-1)!.seq, 203);
  assert.equal(await c.older(), 50);
});

test("what comes while the newest page is read waits for it, and asks for nothing more", async () => {
  const { clock, gateway, client } = await make((g) => {
    many(g, 2);
    g.replayLimit = 10;
  });
  const c = await open(client);
  gateway.cut();
  many(gateway, 60);
  const answer = deferred<void>();
  gateway.slow.push(answer.promise);
  await clock.advance(500);
  gateway.write(desk, sam, "live");
  await settle();
  assert.equal(c.entries().at(-1)!.seq, 2);
  answer.resolve();
  await settle();
  assert.deepEqual([c.entries()[0]!.seq, c.entries().at(-1)!.seq], [13, 63]);
  assert.equal(gateway.requests.filter((r) => r.includes("/messages")).length, 2);
});

test("an answer that comes after the connection it was asked on is not taken", async () => {
  const { clock, gateway, client } = await make((g) => {
    many(g, 2);
    g.replayLimit = 10;
  });
  const c = await open(client);
  gateway.cut();
  many(gateway, 60);
  const late = deferred<void>();
  gateway.slow.push(late.promise);
  await clock.advance(500);
  gateway.cut();
  many(gateway, 5);
  await clock.advance(1000);
  assert.equal(c.entries().at(-1)!.seq, 67);
  late.resolve();
  await settle();
  assert.equal(c.entries().at(-1)!.seq, 67);
});

test("a message that comes after a lost one waits until the history has filled the gap", async () => {
  const { gateway, client } = await make((g) => many(g, 1));
  const c = await open(client);
  gateway.losesMessages = true;
  many(gateway, 130);
  gateway.losesMessages = false;
  gateway.write(desk, sam, "after");
  assert.equal(c.entries().length, 1);
  await settle();
  await settle();
  assert.deepEqual(c.entries().map((e) => e.seq), Array.from({ length: 132 }, (_, i) => i + 1));
});

test("a replay that never arrives is read from the history within seconds", async () => {
  const { clock, gateway, client } = await make((g) => many(g, 1));
  const c = await open(client);
  gateway.cut();
  gateway.losesMessages = true;
  many(gateway, 2);
  await clock.advance(500);
  assert.equal(c.entries().length, 1);
  await clock.advance(5_000);
  assert.equal(c.entries().length, 3);
});

test("a send whose acknowledgement was lost becomes one message", async () => {
  const { clock, gateway, client } = await make();
  const c = await open(client);
  gateway.losesAcks = true;
  gateway.losesMessages = true;
  c.send("once");
  await settle();
  gateway.losesAcks = gateway.losesMessages = false;
  gateway.cut();
  await clock.advance(500);
  assert.equal(shown(c), "1once:stored");
  assert.equal(gateway.room(desk).messages.length, 1);
});

test("unsent messages go out after a reload, in a conversation that nobody opened", async () => {
  const kept = new Map<string, string>();
  const store = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k) };
  const first = await make(undefined, { store });
  const c = await open(first.client);
  first.client.stop();
  c.send("kept");
  const { clock, gateway, client } = await make(undefined, { store });
  await clock.advance(1000);
  assert.deepEqual(gateway.room(desk).messages.map((m) => m.message), ["kept"]);
  assert.equal(gateway.socket.of("leave:conversation").length, 1, "and the room is left again");
  assert.equal(shown(client.conversation(desk)), "1kept:stored");
  assert.equal(kept.size, 0);
});

test("a conversation is not left before what was written in it has gone", async () => {
  const { clock, gateway, client } = await make();
  const c = await open(client);
  gateway.cut();
  c.send("last words");
  c.leave();
  await clock.advance(1000);
  assert.deepEqual(gateway.room(desk).messages.map((m) => m.message), ["last words"]);
  assert.equal(gateway.socket.of("leave:conversation").length, 1);
});

test("coming back to a conversation brings what was written meanwhile", async () => {
  const { gateway, client } = await make((g) => many(g, 1));
  const c = await open(client);
  c.leave();
  await settle();
  gateway.write(desk, sam, "x");
  await open(client);
  assert.deepEqual(c.entries().map((e) => e.seq), [1, 2]);
});

test("a refused conversation says why and fails what waits", async () => {
  const { gateway, client } = await make();
  gateway.refuse = (event) => (event === "join:conversation" ? { error: "not yours", code: "not_found" } : undefined);
  const c = client.conversation(desk);
  c.send("hello?");
  await open(client);
  assert.deepEqual([c.catchUp.phase, c.catchUp.error?.message, shown(c)], ["refused", "not yours", "-hello?:failed"]);
});

test("a join that the server could not do now is tried again", async () => {
  const { clock, gateway, client } = await make();
  gateway.refuse = (event) => (event === "join:conversation" ? { error: "away", code: "unavailable" } : undefined);
  const c = await open(client);
  assert.equal(c.catchUp.phase, "joining");
  gateway.refuse = undefined;
  await clock.advance(1000);
  assert.equal(c.catchUp.phase, "joined");
});

test("a notification counts as unread once and moves its conversation to the top", async () => {
  const { gateway, client } = await make((g) => g.write(desk, sam, "older"));
  const heard: string[] = [];
  client.on("notification", (n) => heard.push(n.preview));
  await open(client);
  gateway.write(bike, sam, "new");
  const seen = { conversationId: bike, messageId: "m2", seq: 1, preview: "new", sender: sam, timestamp: 5 };
  gateway.socket.deliver("message:notification", seen);
  assert.deepEqual(heard, ["new"]);
  assert.deepEqual(client.inbox.conversations.map((c) => [c.id, c.unread, c.lastMessage?.message]), [[bike, 1, "new"], [desk, 1, "older"]]);
});

test("a notification of an unknown conversation reads the list again", async () => {
  const { gateway, client } = await make();
  const late = "c0000000-0000-4000-8000-000000000009";
  gateway.write(late, sam, "just made");
  await settle();
  assert.equal(client.inbox.get(late)?.unread, 1);
});

test("reading on another device clears the count here", async () => {
  const { gateway, client } = await make((g) => many(g, 4));
  gateway.socket.deliver("message:read", { messageId: "m4", conversationId: desk, seq: 4, readBy: bea.id, timestamp: 1 });
  assert.equal(client.inbox.get(desk)!.unread, 0);
});

test("an answer that is older than the events does not turn the list back", async () => {
  const { gateway, client } = await make((g) => many(g, 1));
  const stale = structuredClone(client.inbox.get(desk)!);
  many(gateway, 2);
  gateway.socket.deliver("message:read", { messageId: "m2", conversationId: desk, seq: 2, readBy: bea.id, timestamp: 1 });
  const { messages } = gateway.room(desk);
  messages.length = stale.lastSeq; // the list is answered as it was
  await client.inbox.refresh();
  const c = client.inbox.get(desk)!;
  assert.deepEqual([c.lastSeq, c.readSeq, c.unread], [3, 2, 1]);
});

test("presence is asked for on connecting, announced, and unknown while oneself is away", async () => {
  const { clock, gateway, client } = await make();
  assert.deepEqual(gateway.socket.of("get:online_status")[0]!.payload, { userIds: [sam.id] });
  assert.equal(client.presence.of(sam.id).online, null);
  gateway.socket.deliver("online:status", { statuses: { [sam.id]: { online: false, lastSeen: 50 } } });
  assert.deepEqual(client.presence.of(sam.id), { online: false, lastSeen: 50 });
  gateway.socket.deliver("user:online", { userId: sam.id, timestamp: 100 });
  gateway.socket.deliver("user:offline", { userId: sam.id, timestamp: 90 });
  assert.equal(client.presence.of(sam.id).online, true);
  await clock.advance(60_000);
  assert.equal(gateway.socket.of("get:online_status").length, 2);
  gateway.cut();
  assert.equal(client.presence.of(sam.id).online, null);
});

test("typing is told to the open conversation only, and shown until a message comes", async () => {
  const { gateway, client } = await make();
  client.conversation(bike).composing(false);
  const c = await open(client);
  c.composing(false);
  c.send("hi");
  assert.deepEqual(gateway.socket.sent.filter((e) => e.event.startsWith("typing")).map((e) => e.event), ["typing:start", "typing:stop"]);
  gateway.socket.deliver("user:typing", { conversationId: desk, userId: sam.id });
  gateway.socket.deliver("user:typing", { conversationId: desk, userId: bea.id });
  assert.deepEqual(c.typing, [sam.id]);
  gateway.write(desk, sam, "there");
  assert.deepEqual(c.typing, []);
});

test("exceptions are handed on", async () => {
  const { gateway, client } = await make();
  const heard: string[] = [];
  client.on("exception", (e) => heard.push(`${e.event} ${e.code}`));
  gateway.socket.deliver("exception", { event: "send:message", error: "slow down", code: "rate_limited" });
  assert.deepEqual(heard, ["send:message rate_limited"]);
});

test("a gateway that goes away and comes back is found again", async () => {
  const { clock, gateway, client } = await make((g) => many(g, 1));
  const c = await open(client);
  gateway.down = true;
  gateway.cut();
  await clock.advance(60_000);
  assert.equal(client.status.state, "waiting");
  gateway.down = false;
  many(gateway, 1);
  await clock.advance(20_000);
  assert.deepEqual([client.status.state, c.entries().map((e) => e.seq)], ["online", [1, 2]]);
});
