import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../src/client/backoff";
import { Drafts } from "../src/client/drafts";
import { Emitter } from "../src/client/emitter";
import { Marks } from "../src/client/marks";
import type { Pending } from "../src/client/outbox";
import type { Message } from "../src/client/protocol";
import { readToken } from "../src/client/token";
import { TypingIn, TypingOut } from "../src/client/typing";
import { newId } from "../src/client/uuid";
import { FakeClock, settle, tokenFor } from "./fakes";

test("back-off doubles up to its cap, takes up to half off, and starts over", () => {
  const least = new Backoff(500, 4000, () => 1);
  const most = new Backoff(500, 4000, () => 0);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => most.next()), [500, 1000, 2000, 4000, 4000]);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => least.next()), [250, 500, 1000, 2000, 2000]);
  most.reset();
  assert.equal(most.next(), 500);
});

test("back-off stays finite after a thousand failures", () => {
  const b = new Backoff(500, 20_000, () => 0);
  for (let i = 0; i < 1000; i++) b.next();
  assert.equal(b.next(), 20_000);
});

test("ids are version 4 and differ", () => {
  const ids = new Set(Array.from({ length: 1000 }, newId));
  assert.equal(ids.size, 1000);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("a token is read without being checked, names in any script", () => {
  const { user, expiresAt } = readToken(tokenFor({ id: "ABCDEF", username: "Zoë 👋" }, 5_000));
  assert.deepEqual(user, { id: "abcdef", username: "Zoë 👋" });
  assert.equal(expiresAt, 5_000);
  for (const bad of ["", "a.b.c", "x", `x.${btoa("[]")}.y`, `x.${btoa("null")}.y`]) {
    assert.throws(() => readToken(bad), { code: "unauthorized" }, bad);
  }
});

test("a listener that throws does not keep others from hearing", async () => {
  class Bell extends Emitter<{ ring: number }> {
    ring(n: number): void {
      this.fire("ring", n);
    }
  }
  const thrown: unknown[] = [];
  const original = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (task) => original(() => { try { task(); } catch (e) { thrown.push(e); } });
  const bell = new Bell();
  const heard: number[] = [];
  bell.on("ring", () => { throw new Error("deaf"); });
  const stop = bell.on("ring", (n) => heard.push(n));
  bell.ring(1);
  stop();
  bell.ring(2);
  await settle();
  globalThis.queueMicrotask = original;
  assert.deepEqual(heard, [1]);
  assert.equal(thrown.length, 2);
});

test("typing is told at once, then every three seconds, and its end once", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const typing = new TypingOut(clock, (e) => told.push(e));
  for (let i = 0; i < 50; i++) {
    typing.key();
    await clock.advance(100);
  }
  assert.deepEqual(told, ["typing:start", "typing:start"]);
  await clock.advance(10_000);
  typing.stop();
  assert.deepEqual(told, ["typing:start", "typing:start", "typing:stop"]);
});

test("somebody whose stop was lost is not typing for ever", async () => {
  const clock = new FakeClock();
  let changes = 0;
  const typing = new TypingIn(clock, () => changes++);
  typing.started("bea");
  await clock.advance(11_000);
  typing.started("bea");
  await clock.advance(11_000);
  assert.deepEqual(typing.now, ["bea"]);
  await clock.advance(2_000);
  assert.deepEqual(typing.now, []);
  const before = changes;
  typing.stopped("bea");
  assert.equal(changes, before, "who is not typing cannot stop");
});

const message = (seq: number): Message => ({ id: `m${seq}`, conversationId: "c", seq, senderId: "sam", sender: { id: "sam", username: "Sam" }, message: "", attachmentUrls: [], createdAt: "" });

test("a read mark is told when the conversation is joined, one request at a time, and only moves forward", async () => {
  const told: string[] = [];
  const marks = new Marks("bea", async (id) => void told.push(id), () => {});
  marks.read(message(3));
  await settle();
  assert.deepEqual([told, marks.mine], [[], 3]);
  marks.resume();
  marks.read(message(4));
  marks.read(message(6));
  marks.read(message(5));
  await settle();
  assert.deepEqual(told, ["m3", "m6"]);
  assert.equal(marks.mine, 6);
});

test("a read mark that could not be told is told after the next join", async () => {
  let broken = true;
  const told: string[] = [];
  const marks = new Marks("bea", async (id) => { told.push(id); if (broken) throw new Error("cut"); }, () => {});
  marks.resume();
  marks.read(message(2));
  await settle();
  broken = false;
  marks.suspend();
  marks.resume();
  await settle();
  assert.deepEqual(told, ["m2", "m2"]);
});

test("others' marks never move back", () => {
  const marks = new Marks("bea", async () => {}, () => {});
  marks.learn("sam", 5);
  marks.learn("sam", 3);
  assert.equal(marks.theirs, 5);
  assert.equal(marks.mine, 0);
});

test("unsent messages survive a reload, whatever state they were in", () => {
  const kept = new Map<string, string>();
  const store = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k) };
  const pending: Pending = { clientMessageId: "id", text: "hi", attachmentUrls: [], createdAt: 1, state: "sending" };
  new Drafts(store, "bea").keep("c", [pending]);
  assert.deepEqual(new Drafts(store, "bea").of("c"), [{ ...pending, state: "waiting" }]);
  assert.deepEqual(new Drafts(store, "sam").of("c"), []);
  new Drafts(store, "bea").keep("c", []);
  assert.equal(kept.size, 0);
});

test("a store that is full or broken loses nothing but the survival", () => {
  const store = { getItem: () => "{broken", setItem: () => { throw new Error("full"); }, removeItem: () => {} };
  const drafts = new Drafts(store, "bea");
  drafts.keep("c", [{ clientMessageId: "id", text: "hi", attachmentUrls: [], createdAt: 1, state: "waiting" }]);
  assert.equal(drafts.of("c").length, 1);
});
