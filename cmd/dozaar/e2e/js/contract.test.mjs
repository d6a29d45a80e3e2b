// The contract, event by event, over each transport.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { api, ask, connect, conversation, events, got, must, open, pair, service, sleep, token, until, url, user } from './world.mjs';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  describe(`over ${transports.join(', then ')}`, { concurrency: 4 }, () => {
    test('the token comes in the Authorization header or as auth.token', async () => {
      const bea = user('Bea');
      const byHeader = await connect(bea, { transports, auth: undefined, extraHeaders: { Authorization: `Bearer ${token(bea)}` } });
      const byAuth = await connect(bea, { transports });
      assert.ok(byHeader.connected && byAuth.connected);
      byHeader.close();
      byAuth.close();
    });

    test('a message goes to the room, with every field, in order', async () => {
      const { id, bea, buyer, seller, close } = await pair({ transports });
      const text = 'Hello, world!', attachmentUrls = ['https://example.com/image.jpg'];
      const sent = await must(buyer, 'send:message', { conversationId: id, message: text, attachmentUrls });
      assert.match(sent.messageId, uuid);
      for (const socket of [buyer, seller]) {
        const { data } = await got(socket, 'new:message', (m) => m.id === sent.messageId);
        assert.deepEqual(data, {
          id: sent.messageId, conversationId: id, seq: 1, senderId: bea.id, sender: { id: bea.id, username: 'Bea' },
          message: text, attachmentUrls, createdAt: sent.createdAt,
        });
        assert.deepEqual(Object.keys(data), ['id', 'conversationId', 'seq', 'senderId', 'sender', 'message', 'attachmentUrls', 'createdAt']);
      }
      for (let i = 0; i < 50; i++) buyer.emit('send:message', { conversationId: id, message: `number ${i}` });
      await got(seller, 'new:message', (m) => m.seq === 51);
      const seen = events(seller, 'new:message');
      assert.deepEqual(seen.map((m) => m.seq), Array.from({ length: 51 }, (_, i) => i + 1));
      assert.deepEqual(seen.slice(1).map((m) => m.message), Array.from({ length: 50 }, (_, i) => `number ${i}`));
      close();
    });

    test('joining answers and replays what was missed, first the answer, then the messages, then live', async () => {
      const { id, bea, sam, buyer, seller, close } = await pair({ transports });
      await must(buyer, 'send:message', { conversationId: id, message: 'one' });
      await got(seller, 'new:message', (m) => m.seq === 1);
      seller.close();
      for (const message of ['two', 'three']) await must(buyer, 'send:message', { conversationId: id, message });
      await got(buyer, 'new:message', (m) => m.seq === 3);
      const back = await connect(sam, { transports });
      const joined = await must(back, 'join:conversation', { conversationId: id, afterSeq: 1 });
      const want = { conversationId: id, lastSeq: 3, readSeq: 0, recovered: true, missed: 2, readSeqs: { [bea.id]: 3, [sam.id]: 0 } };
      assert.deepEqual(joined, { ok: true, ...want });
      await must(buyer, 'send:message', { conversationId: id, message: 'four' });
      await got(back, 'new:message', (m) => m.seq === 4);
      assert.deepEqual(back.log.filter((e) => /joined|new:message/.test(e.event)).map((e) => e.data.seq ?? 'joined'), ['joined', 2, 3, 4]);
      assert.deepEqual(events(back, 'joined:conversation'), [want]);
      back.close();
      close();
    });

    test('members outside the room are notified, the sender never', async () => {
      const bea = user('Bea'), sam = user('Sam');
      const id = await conversation(bea, sam);
      const [buyer, beaElsewhere, seller] = await Promise.all([connect(bea, { transports }), connect(bea, { transports }), connect(sam, { transports })]);
      await must(buyer, 'join:conversation', { conversationId: id });
      await until(async () => (await ask(buyer, 'get:online_status', { userIds: [sam.id] })).statuses[sam.id].online);
      const long = '😀'.repeat(150);
      const { messageId } = await must(buyer, 'send:message', { conversationId: id, message: long });
      const { data } = await got(seller, 'message:notification');
      assert.deepEqual(data, {
        conversationId: id, messageId, seq: 1, preview: '😀'.repeat(100), sender: { id: bea.id, username: 'Bea' }, timestamp: data.timestamp,
      });
      assert.ok(Math.abs(data.timestamp - Date.now()) < 10_000);
      await sleep(200);
      assert.equal(events(seller, 'message:notification').length, 1);
      for (const own of [buyer, beaElsewhere]) assert.deepEqual(events(own, 'message:notification'), []);
      assert.deepEqual(events(seller, 'new:message'), []);
      [buyer, beaElsewhere, seller].forEach((s) => s.close());
    });

    test('typing is shown to the others, and cleared by a stop, a message, leaving and a disconnect', async () => {
      const { id, sam, buyer, seller, close } = await pair({ transports });
      const start = () => must(seller, 'typing:start', { conversationId: id });
      const typed = { conversationId: id, userId: sam.id };
      const clearings = [
        () => must(seller, 'typing:stop', { conversationId: id }),
        () => must(seller, 'send:message', { conversationId: id, message: 'done' }),
        () => must(seller, 'leave:conversation', { conversationId: id }),
        () => seller.close(),
      ];
      for (const [i, clear] of clearings.entries()) {
        if (i === 3) await must(seller, 'join:conversation', { conversationId: id });
        await start();
        await until(() => events(buyer, 'user:typing').length === i + 1);
        assert.equal(events(buyer, 'user:stopped_typing').length, i);
        await clear();
        await until(() => events(buyer, 'user:stopped_typing').length === i + 1, 5_000, () => `clearing ${i} did not clear`);
      }
      assert.deepEqual(events(buyer, 'user:typing')[0], typed);
      assert.deepEqual(events(buyer, 'user:stopped_typing')[0], typed);
      assert.deepEqual(events(seller, 'user:typing'), []);
      close();
    });

    test('a read mark is told to the sender and to the reader\'s other devices', async () => {
      const { id, bea, sam, buyer, seller, close } = await pair({ transports });
      const sellerPhone = await connect(sam, { transports });
      const { messageId } = await must(buyer, 'send:message', { conversationId: id, message: 'seen?' });
      await got(seller, 'new:message');
      const marked = await must(seller, 'mark:read', { messageId });
      assert.deepEqual(marked, { ok: true, messageId, conversationId: id, seq: 1 });
      for (const socket of [buyer, sellerPhone]) {
        const { data } = await got(socket, 'message:read');
        assert.deepEqual(data, { messageId, conversationId: id, seq: 1, readBy: sam.id, timestamp: data.timestamp });
      }
      await must(buyer, 'mark:read', { messageId }); // one's own: nothing to tell
      await sleep(200);
      assert.deepEqual(events(seller, 'message:read'), []);
      assert.equal(events(buyer, 'message:read').length, 1);
      const rejoined = await must(seller, 'join:conversation', { conversationId: id });
      assert.equal(rejoined.readSeq, 1);
      assert.equal((await must(buyer, 'join:conversation', { conversationId: id })).readSeq, 1, 'sending moves the own mark');
      sellerPhone.close();
      close();
    });

    test('presence: online, status, offline with lastSeen', async () => {
      const { bea, sam, buyer, seller, close } = await pair({ transports });
      seller.close();
      const { data: offline } = await got(buyer, 'user:offline', (d) => d.userId === sam.id, 15_000);
      assert.deepEqual(Object.keys(offline), ['userId', 'timestamp']);
      const back = await connect(sam, { transports });
      const online = await until(() => buyer.log.filter((e) => e.event === 'user:online' && e.data.userId === sam.id && e.data.timestamp > offline.timestamp)[0]);
      assert.ok(Math.abs(online.data.timestamp - Date.now()) < 10_000);
      const stranger = randomUUID();
      const look = () => must(buyer, 'get:online_status', { userIds: [bea.id, sam.id, stranger, 'user-id-1'] });
      await until(async () => (await look()).statuses[stranger].online !== null || sleep(200), 15_000); // unknown after Redis has failed over
      const { statuses } = await look();
      assert.deepEqual(Object.keys(statuses).sort(), [bea.id, sam.id, stranger, 'user-id-1'].sort());
      assert.equal(statuses[sam.id].online, true);
      assert.equal(statuses[stranger].online, false);
      assert.deepEqual(statuses['user-id-1'], { online: false });
      await got(buyer, 'online:status', (data) => isDeepStrictEqual(data, { statuses }));
      back.close();
      close();
    });

    test('after leaving nothing comes, and sending is refused', async () => {
      const { id, buyer, seller, close } = await pair({ transports });
      await must(seller, 'leave:conversation', { conversationId: id });
      await must(buyer, 'send:message', { conversationId: id, message: 'gone?' });
      await got(seller, 'message:notification');
      assert.deepEqual(events(seller, 'new:message'), []);
      const refused = await ask(seller, 'send:message', { conversationId: id, message: 'x' });
      assert.equal(refused.code, 'not_joined');
      close();
    });

    test('the first event right behind the connect is not lost', async () => {
      const bea = user('Bea');
      const id = await conversation(bea);
      for (let i = 0; i < 20; i++) {
        const socket = open({ transports, auth: { token: token(bea) } });
        socket.emit('join:conversation', { conversationId: id }); // buffered, sent with the connect
        await got(socket, 'joined:conversation');
        socket.close();
      }
    });
  });
}

test('the numbers: ping every 25 s, dead after 60 s', async () => {
  const text = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text();
  const handshake = JSON.parse(text.slice(1));
  assert.equal(handshake.pingInterval, 25_000);
  assert.equal(handshake.pingTimeout, 60_000);
});

test('typing expires at the receiver after 10 seconds', async () => {
  const { id, buyer, seller, close } = await pair();
  await must(seller, 'typing:start', { conversationId: id });
  const { at } = await got(buyer, 'user:typing');
  const stopped = await got(buyer, 'user:stopped_typing', () => true, 13_000);
  assert.ok(Math.abs(stopped.at - at - 10_000) < 1_000, `after ${stopped.at - at} ms`);
  close();
});

test('more than 1,000 missed messages are said, not replayed; the history has them', async () => {
  const { id, bea, sam, buyer, seller, close } = await pair();
  seller.close();
  const as = service(); // the backend may write as fast as it likes
  for (let i = 0; i < 1_003; i += 50) {
    await Promise.all(Array.from({ length: Math.min(50, 1_003 - i) }, (_, k) =>
      api('POST', `/v1/conversations/${id}/messages`, { as, body: { message: `m${i + k}` } }).then((r) => assert.equal(r.status, 201))));
  }
  await got(buyer, 'new:message', (m) => m.seq === 1_003, 20_000);
  const back = await connect(sam);
  assert.deepEqual(await must(back, 'join:conversation', { conversationId: id, afterSeq: 2 }),
    { ok: true, conversationId: id, lastSeq: 1_003, readSeq: 0, recovered: false, missed: 1_001, readSeqs: { [bea.id]: 0, [sam.id]: 0 } });
  assert.deepEqual(await must(back, 'join:conversation', { conversationId: id, afterSeq: 3 }),
    { ok: true, conversationId: id, lastSeq: 1_003, readSeq: 0, recovered: true, missed: 1_000, readSeqs: { [bea.id]: 0, [sam.id]: 0 } });
  assert.deepEqual(events(back, 'new:message').map((m) => m.seq), Array.from({ length: 1_000 }, (_, i) => i + 4));
  const page = await api('GET', `/v1/conversations/${id}/messages?afterSeq=2&limit=100`, { as: token(sam) });
  assert.deepEqual(page.body.messages.map((m) => m.seq), Array.from({ length: 100 }, (_, i) => i + 3));
  assert.deepEqual(page.body.messages[1], events(back, 'new:message')[0], 'the same object as new:message');
  back.close();
  close();
});
