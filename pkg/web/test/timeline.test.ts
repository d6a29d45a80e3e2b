import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../src/client/protocol";
import { Timeline } from "../src/client/timeline";

const message = (seq: number): Message => ({ id: `m${seq}`, conversationId: "c", seq, senderId: "s", sender: { id: "s", username: "Sam" }, message: String(seq), attachmentUrls: [], createdAt: "" });
const page = (from: number, to: number): Message[] => Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
const seqs = (t: Timeline): number[] => t.messages.map((m) => m.seq);

test("messages that come before the first page wait for it", () => {
  const t = new Timeline();
  assert.equal(t.offer(message(6)), "early");
  assert.equal(t.loaded, false);
  t.reset(page(3, 5));
  assert.deepEqual(seqs(t), [3, 4, 5, 6]);
});

test("nothing is shown twice", () => {
  const t = new Timeline();
  t.reset(page(1, 3));
  assert.equal(t.offer(message(3)), "known");
  assert.equal(t.offer(message(1)), "known");
  assert.equal(t.offer(message(4)), "added");
  assert.equal(t.offer(message(4)), "known");
  assert.deepEqual(seqs(t), [1, 2, 3, 4]);
});

test("nothing is shown out of order: a gap holds back what follows it", () => {
  const t = new Timeline();
  t.reset(page(1, 2));
  assert.equal(t.offer(message(5)), "early");
  assert.equal(t.offer(message(4)), "early");
  assert.equal(t.offer(message(4)), "known");
  assert.deepEqual([seqs(t), t.reach], [[1, 2], 5]);
  assert.equal(t.offer(message(3)), "added");
  assert.deepEqual(seqs(t), [1, 2, 3, 4, 5]);
});

test("an empty conversation is complete and begins with 1", () => {
  const t = new Timeline();
  t.reset([]);
  assert.deepEqual([t.loaded, t.complete, t.last], [true, true, 0]);
  assert.equal(t.offer(message(1)), "added");
});

test("older pages join up or are refused", () => {
  const t = new Timeline();
  t.reset(page(51, 60));
  assert.equal(t.complete, false);
  assert.equal(t.prepend(page(1, 20)), 0, "a page with a hole behind it");
  assert.equal(t.prepend(page(41, 55)), 10, "an overlapping page");
  assert.equal(t.prepend(page(1, 40)), 40);
  assert.deepEqual(seqs(t), page(1, 60).map((m) => m.seq));
  assert.equal(t.complete, true);
});

test("a page with a hole in it gives only what follows the hole", () => {
  const t = new Timeline();
  t.reset([...page(1, 3), ...page(5, 7)]);
  assert.deepEqual(seqs(t), [5, 6, 7]);
});

test("starting over keeps what came meanwhile and drops what the page has", () => {
  const t = new Timeline();
  t.reset(page(1, 3));
  t.hold();
  for (const seq of [100, 101, 102]) assert.equal(t.offer(message(seq)), "early");
  t.reset(page(60, 101));
  assert.deepEqual([t.messages[0]!.seq, t.last], [60, 102]);
  assert.equal(t.offer(message(101)), "known");
});

test("any order of arrival gives the same timeline", () => {
  for (let seed = 1; seed <= 200; seed++) {
    let x = seed;
    const random = (): number => (x = (x * 48271) % 2147483647) / 2147483647;
    const arriving = [...page(1, 12), ...page(1, 12)].sort(() => random() - 0.5);
    const t = new Timeline();
    const loadAt = Math.floor(random() * 10);
    arriving.forEach((m, i) => {
      if (i === loadAt) t.reset([]);
      t.offer(m);
      assert.deepEqual(seqs(t), page(1, t.last).map((p) => p.seq), `seed ${seed}`);
    });
    assert.equal(t.last, 12, `seed ${seed}`);
  }
});
