import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatError } from "../src/client/errors";
import { Outbox, type Pending } from "../src/client/outbox";
import type { Code, Message, Sent } from "../src/client/protocol";
import { deferred, FakeClock, settle } from "./fakes";

function make(restored: Pending[] = []) {
  const clock = new FakeClock();
  const tries: { p: Pending; done: ReturnType<typeof deferred<Sent>> }[] = [];
  const outbox = new Outbox(
    (p) => {
      const done = deferred<Sent>();
      tries.push({ p, done });
      return done.promise;
    },
    () => {},
    clock,
    restored,
    () => 0,
  );
  const accept = async (i: number): Promise<void> => {
    const { p, done } = tries[i]!;
    done.resolve({ messageId: `m-${p.text}`, conversationId: "c", clientMessageId: p.clientMessageId, createdAt: "2026-01-01T12:00:05.000Z" });
    await settle();
  };
  const refuse = async (i: number, code: Code): Promise<void> => {
    tries[i]!.done.reject(new ChatError(code, "no"));
    await settle();
  };
  const states = (): string[] => outbox.pending.map((p) => `${p.text}:${p.state}`);
  return { clock, outbox, tries, accept, refuse, states };
}

const stored = (p: Pending): Message => ({ id: `m-${p.text}`, conversationId: "c", seq: 1, senderId: "me", sender: { id: "me", username: "Me" }, message: p.text, attachmentUrls: [], createdAt: "", clientMessageId: p.clientMessageId });

test("messages go one at a time, in order, and only while the conversation is joined", async () => {
  const { outbox, tries, accept, states } = make();
  outbox.add("a", []);
  outbox.add("b", []);
  assert.equal(tries.length, 0);
  outbox.resume();
  assert.deepEqual([tries.length, states()], [1, ["a:sending", "b:waiting"]]);
  await accept(0);
  assert.deepEqual(tries.map((t) => t.p.text), ["a", "b"]);
  assert.equal(outbox.pending[0]!.createdAt, Date.parse("2026-01-01T12:00:05.000Z"));
  await accept(1);
  assert.deepEqual([states(), outbox.hasWork], [["a:sent", "b:sent"], false]);
});

test("a lost connection repeats the message under the same id, ahead of later ones", async () => {
  const { outbox, tries, refuse, states } = make();
  outbox.resume();
  outbox.add("a", []);
  outbox.add("b", []);
  outbox.suspend();
  await refuse(0, "offline");
  assert.deepEqual(states(), ["a:waiting", "b:waiting"]);
  outbox.resume();
  assert.equal(tries[1]!.p.clientMessageId, tries[0]!.p.clientMessageId);
});

test("lost connections never make a message fail", async () => {
  const { outbox, refuse, states } = make();
  outbox.add("a", []);
  for (let i = 0; i < 20; i++) {
    outbox.resume();
    outbox.suspend();
    await refuse(i, "offline");
  }
  assert.deepEqual(states(), ["a:waiting"]);
});

test("a passing refusal is repeated after a growing pause, until patience ends", async () => {
  const { clock, outbox, tries, refuse, states } = make();
  outbox.resume();
  const { clientMessageId } = outbox.add("a", []);
  await refuse(0, "rate_limited");
  await clock.advance(999);
  assert.equal(tries.length, 1);
  await clock.advance(1);
  await refuse(1, "unavailable");
  await clock.advance(1999);
  assert.equal(tries.length, 2);
  await clock.advance(1);
  for (const i of [2, 3, 4]) {
    await refuse(i, "timeout");
    await clock.advance(20_000);
  }
  await refuse(5, "internal");
  assert.deepEqual([tries.length, states()], [6, ["a:failed"]]);
  outbox.retry(clientMessageId);
  assert.equal(tries[6]!.p.clientMessageId, clientMessageId);
});

test("a final refusal fails one message and lets the next go", async () => {
  const { outbox, tries, refuse, accept, states } = make();
  outbox.resume();
  const bad = outbox.add("bad", []);
  outbox.add("good", []);
  await refuse(0, "invalid");
  await accept(1);
  assert.deepEqual(states(), ["bad:failed", "good:sent"]);
  assert.equal(bad.error?.code, "invalid");
  outbox.discard(bad.clientMessageId);
  assert.deepEqual(states(), ["good:sent"]);
  assert.equal(tries.length, 2);
});

test("only what has failed can be discarded", () => {
  const { outbox, states } = make();
  const p = outbox.add("a", []);
  outbox.discard(p.clientMessageId);
  assert.deepEqual(states(), ["a:waiting"]);
});

test("the stored copy settles a message whose acknowledgement was lost", async () => {
  const { outbox, tries, refuse, states } = make();
  outbox.resume();
  const p = outbox.add("a", []);
  outbox.suspend();
  outbox.settle(stored(p));
  await refuse(0, "offline");
  outbox.resume();
  assert.deepEqual([states(), tries.length, outbox.hasWork], [[], 1, false]);
});

test("somebody else's message settles nothing", async () => {
  const { outbox, states } = make();
  const p = outbox.add("a", []);
  const { clientMessageId: _, ...other } = stored(p);
  outbox.settle({ ...other, id: "m-other" });
  assert.deepEqual(states(), ["a:waiting"]);
});

test("a conversation that is refused fails what waits", () => {
  const { outbox, states } = make([{ clientMessageId: "id", text: "kept", attachmentUrls: [], createdAt: 1, state: "waiting" }]);
  outbox.giveUp(new ChatError("not_found", "not yours"));
  assert.deepEqual(states(), ["kept:failed"]);
});
