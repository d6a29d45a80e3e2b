// The HTTP API and the borders between origins, as a marketplace's backend and its web page meet them.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { api, connect, conversation, got, must, pair, service, token, until, url, user } from './world.mjs';

test('a key names one conversation, whatever the body', async () => {
  const bea = user('Bea'), sam = user('Sam'), key = `listing:${randomUUID()}/buyer:${bea.id}`;
  const body = { key, members: [{ userId: bea.id, username: 'Bea', role: 'buyer' }, { userId: sam.id, username: 'Sam', role: 'seller' }], metadata: { listing: 'desk', price: 120 } };
  const answers = await Promise.all(Array.from({ length: 5 }, () => api('POST', '/v1/conversations', { as: service(), body })));
  assert.deepEqual(answers.map((a) => a.status).sort(), [200, 200, 200, 200, 201]);
  const first = answers[0].body;
  for (const answer of answers) assert.deepEqual(answer.body, first);
  const other = await api('POST', '/v1/conversations', { as: service(), body: { ...body, members: [{ userId: user('x').id, username: 'x' }], metadata: {} } });
  assert.deepEqual([other.status, other.body], [200, first]);
  assert.deepEqual(first.members, body.members);
  assert.deepEqual(first.metadata, body.metadata);
  assert.equal(first.lastSeq, 0);
  const own = await api('POST', '/v1/conversations', { as: service(), body: { ...body, key: undefined, id: '123e4567-e89b-42d3-a456-426614174000' } });
  assert.equal(own.body.id, '123e4567-e89b-42d3-a456-426614174000');
  assert.equal((await api('POST', '/v1/conversations', { as: token(bea), body })).status, 403);
  assert.equal((await api('POST', '/v1/conversations', { body })).status, 401);
});

test('the inbox: newest activity first, last message, read and unread', async () => {
  const { id, bea, sam, buyer, seller, close } = await pair();
  const eve = user('Eve'), quiet = await conversation(bea, eve);
  for (const message of ['one', 'two', 'three']) await must(buyer, 'send:message', { conversationId: id, message });
  const two = await got(seller, 'new:message', (m) => m.seq === 2);
  await got(seller, 'new:message', (m) => m.seq === 3);
  await must(seller, 'mark:read', { messageId: two.data.id });
  const inbox = async (who) => (await api('GET', '/v1/conversations', { as: token(who) })).body;
  await until(async () => (await inbox(sam)).conversations[0].readSeq === 2);
  const sams = await inbox(sam), beas = await inbox(bea);
  assert.deepEqual(sams.conversations.map((c) => [c.id, c.lastSeq, c.readSeq, c.unread, c.lastMessage.message]), [[id, 3, 2, 1, 'three']]);
  assert.deepEqual(beas.conversations.map((c) => [c.id, c.unread]), [[id, 0], [quiet, 0]]);
  assert.deepEqual(sams.conversations[0].lastMessage, (await got(seller, 'new:message', (m) => m.seq === 3)).data);
  close();
});

test('the inbox and the history are paged without holes', async () => {
  const bea = user('Bea'), as = token(bea), ids = [];
  for (let i = 0; i < 7; i++) ids.unshift(await conversation(bea, user('x')));
  const seen = [];
  for (let next = '/v1/conversations?limit=3'; next;) {
    const { status, body } = await api('GET', next, { as });
    assert.equal(status, 200, JSON.stringify(body));
    seen.push(...body.conversations.map((c) => c.id));
    next = body.next && `/v1/conversations?limit=3&cursor=${encodeURIComponent(body.next)}`;
  }
  assert.deepEqual(seen.sort(), ids.sort());
});

test('the marketplace writes as itself, and its message arrives like any other', async () => {
  const { id, seller, close } = await pair();
  const clientMessageId = randomUUID(), body = { message: 'Your parcel is on its way', clientMessageId };
  const as = service();
  const first = await api('POST', `/v1/conversations/${id}/messages`, { as, body });
  assert.equal(first.status, 201, JSON.stringify(first.body));
  const { data } = await got(seller, 'new:message');
  assert.equal(data.sender.username, 'marketplace');
  const again = await api('POST', `/v1/conversations/${id}/messages`, { as, body });
  assert.equal(again.body.messageId, first.body.messageId);
  close();
});

test('presence over HTTP', async () => {
  const { sam, bea, close } = await pair();
  const path = `/v1/presence?userIds=${sam.id},${randomUUID()},nobody`;
  await until(async () => (await api('GET', path, { as: token(bea) })).body.statuses[sam.id].online === true);
  const { body } = await api('GET', path, { as: token(bea) });
  assert.deepEqual(body.statuses.nobody, { online: false });
  close();
});

test('errors are problems of RFC 9457', async () => {
  const { status, headers, body } = await api('GET', `/v1/conversations/${randomUUID()}/messages?limit=101`, { as: token(user('Bea')) });
  assert.equal(status, 400);
  assert.match(headers.get('content-type'), /^application\/problem\+json/);
  assert.equal(body.code, 'invalid');
  assert.equal(body.field, 'limit');
});

test('a path that is not clean is a problem like any other, not a redirect', async () => {
  const response = await fetch(`${url}/v1//conversations`, { redirect: 'manual' });
  assert.equal(response.status, 404);
  assert.match(response.headers.get('content-type'), /^application\/problem\+json/);
});

test('other origins may come in: preflight with Authorization, and CORS on both paths', async () => {
  const origin = 'https://market.example';
  for (const path of ['/v1/conversations', '/socket.io/?EIO=4&transport=polling']) {
    const preflight = await fetch(url + path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } });
    assert.ok(preflight.ok, `${path}: ${preflight.status}`);
    assert.match(preflight.headers.get('access-control-allow-headers'), /authorization/i);
    const got = await fetch(url + path, { headers: { origin, authorization: `Bearer ${token(user('Bea'))}` } });
    assert.equal(got.status, 200, path);
    assert.ok([origin, '*'].includes(got.headers.get('access-control-allow-origin')), path);
    await got.text();
  }
});
