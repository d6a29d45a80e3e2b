import assert from "node:assert/strict";
import { test } from "node:test";
import { Link, type LinkStatus } from "../src/client/link";
import { Tokens } from "../src/client/token";
import { FakeClock, FakeSocket, settle, tokenFor } from "./fakes";

const user = { id: "b0000000-0000-4000-8000-000000000001", username: "Bea" };
const hour = 3_600_000;

function make(lifetime = 12 * hour) {
  const clock = new FakeClock();
  const sockets: FakeSocket[] = [];
  const source = { minted: 0, fails: false };
  const tokens = new Tokens(async () => {
    if (source.fails) throw new Error("no token today");
    return tokenFor(user, clock.now() + lifetime, `n${++source.minted}`);
  }, clock);
  const link = new Link("http://gateway", tokens, (_, token) => {
    const socket = new FakeSocket(token);
    sockets.push(socket);
    return socket;
  }, clock, () => 0);
  const statuses: LinkStatus["state"][] = [];
  link.on("status", (s) => statuses.push(s.state));
  const connect = async (): Promise<FakeSocket> => {
    await settle();
    const socket = sockets.at(-1)!;
    socket.deliver("connect");
    return socket;
  };
  return { clock, link, sockets, source, statuses, connect };
}

test("it connects with a token and says so", async () => {
  const { link, sockets, statuses, connect } = make();
  link.start();
  link.start();
  await connect();
  assert.deepEqual([statuses, sockets.length, link.online], [["connecting", "online"], 1, true]);
  assert.match(sockets[0]!.token, /\.n1$/);
});

test("every kind of loss brings it back, later and later, until a connection lasts", async () => {
  const { clock, link, sockets, connect } = make();
  link.start();
  const waits: number[] = [];
  for (const reason of ["transport close", "io server disconnect", "ping timeout"]) {
    (await connect()).deliver("disconnect", reason);
    assert.equal(link.status.state, "waiting");
    const wait = link.status.state === "waiting" ? link.status.until - clock.now() : 0;
    waits.push(wait);
    const before = sockets.length;
    await clock.advance(wait - 1);
    assert.equal(sockets.length, before, "not before its time");
    await clock.advance(1);
    assert.equal(sockets.length, before + 1);
  }
  assert.deepEqual(waits, [500, 1000, 2000]);
  const lasting = await connect();
  await clock.advance(10_000);
  lasting.deliver("disconnect", "transport close");
  assert.equal(link.status.state === "waiting" && link.status.until - clock.now(), 500);
});

test("every attempt is a new socket; what an old one says later is not heard", async () => {
  const { clock, link, sockets, connect } = make();
  const heard: string[] = [];
  link.on("new:message", (m) => heard.push(m.id));
  link.start();
  const old = await connect();
  old.deliver("disconnect", "transport close");
  await clock.advance(500);
  await connect();
  old.deliver("new:message", { id: "late" });
  old.deliver("disconnect", "again");
  sockets[1]!.deliver("new:message", { id: "live" });
  assert.deepEqual([heard, link.online, old.disconnected], [["live"], true, true]);
});

test("a connection that never answers is given up", async () => {
  const { clock, link, sockets } = make();
  link.start();
  await clock.advance(20_000);
  assert.equal(link.status.state, "waiting");
  assert.equal(sockets[0]!.disconnected, true);
});

test("a refused token is replaced", async () => {
  const { clock, link, sockets, source } = make();
  link.start();
  await settle();
  sockets[0]!.deliver("connect_error", Object.assign(new Error("the token has expired"), { data: { code: "token_expired" } }));
  assert.equal(link.status.state === "waiting" && link.status.error.code, "token_expired");
  await clock.advance(500);
  assert.deepEqual([source.minted, sockets[1]!.token.endsWith("n2")], [2, true]);
});

test("a gateway that is away keeps the token", async () => {
  const { clock, link, sockets, source } = make();
  link.start();
  await settle();
  sockets[0]!.deliver("connect_error", new Error("xhr poll error"));
  assert.equal(link.status.state === "waiting" && link.status.error.code, "unreachable");
  await clock.advance(500);
  assert.deepEqual([source.minted, sockets.length], [1, 2]);
});

test("where no token can be had it waits and asks again", async () => {
  const { clock, link, sockets, source, connect } = make();
  source.fails = true;
  link.start();
  await settle();
  assert.deepEqual([link.status.state, sockets.length], ["waiting", 0]);
  source.fails = false;
  await clock.advance(500);
  await connect();
  assert.equal(link.online, true);
});

test("the token is refreshed on the open connection before it runs out", async () => {
  const { clock, link, sockets, source, connect } = make(hour);
  link.start();
  const socket = await connect();
  socket.respond = (event) => (event === "auth:refresh" ? { ok: true } : undefined);
  await clock.advance(0.89 * hour);
  assert.equal(socket.of("auth:refresh").length, 0);
  await clock.advance(0.02 * hour);
  const sent = socket.of("auth:refresh");
  assert.equal(sent.length, 1);
  assert.match((sent[0]!.payload as { token: string }).token, /\.n2$/);
  await clock.advance(hour);
  assert.deepEqual([socket.of("auth:refresh").length, source.minted, sockets.length], [2, 3, 1]);
});

test("a refresh that fails is tried again", async () => {
  const { clock, link, source, connect } = make(hour);
  link.start();
  const socket = await connect();
  socket.respond = () => ({ ok: true });
  source.fails = true;
  await clock.advance(0.91 * hour);
  source.fails = false;
  assert.equal(socket.of("auth:refresh").length, 0);
  await clock.advance(30_000);
  assert.equal(socket.of("auth:refresh").length, 1);
});

test("a request is answered, refused, or given up on", async () => {
  const { clock, link, connect } = make();
  const join = () => link.request("join:conversation", { conversationId: "c" });
  await assert.rejects(join(), { code: "offline" });
  link.start();
  const socket = await connect();

  const good = join();
  socket.sent.at(-1)!.ack!({ ok: true });
  await good;

  const bad = join();
  socket.sent.at(-1)!.ack!({ ok: false, code: "not_found", error: "not yours", field: "conversationId" });
  await assert.rejects(bad, { code: "not_found", message: "not yours", field: "conversationId" });

  const late = assert.rejects(join(), { code: "timeout" });
  await clock.advance(10_000);
  await late;

  const cut = assert.rejects(join(), { code: "offline" });
  socket.deliver("disconnect", "transport close");
  await cut;
});

test("after stop nothing comes back by itself", async () => {
  const { clock, link, sockets, connect } = make();
  link.start();
  const socket = await connect();
  link.stop();
  await clock.advance(hour);
  assert.deepEqual([link.status.state, sockets.length, socket.disconnected], ["offline", 1, true]);
  link.start();
  await connect();
  assert.equal(link.online, true);
});

test("stop while the token is on its way makes no socket", async () => {
  const { clock, link, sockets } = make();
  link.start();
  link.stop();
  await clock.advance(hour);
  assert.deepEqual([link.status.state, sockets.length], ["offline", 0]);
});

test("the impatient need not wait", async () => {
  const { link, connect } = make();
  link.start();
  (await connect()).deliver("disconnect", "transport close");
  link.retryNow();
  await connect();
  assert.equal(link.online, true);
  link.retryNow();
  assert.equal(link.online, true);
});
