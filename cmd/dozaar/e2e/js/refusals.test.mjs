// What must be refused, with the code and the field: rows 1-5, 18, 20, 21 and 23 of what hostile clients try.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, createSign } from 'node:crypto';
import { describe, test } from 'node:test';
import { api, ask, connect, conversation, events, got, must, open, pair, service, sleep, token, until, url, user } from './world.mjs';

async function refusal(options) {
  const socket = open({ transports: ['websocket'], ...options });
  const error = await new Promise((resolve, reject) => {
    socket.once('connect_error', resolve);
    socket.once('connect', () => reject(new Error('connected')));
  });
  socket.close();
  return error.data?.code;
}

describe('tokens', { concurrency: 8 }, () => {
  const bea = user('Bea');
  const now = Math.floor(Date.now() / 1000);
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const unsigned = () => token(bea, {}, { header: { alg: 'none' } }).replace(/[^.]*$/, '');
  const rs256 = () => {
    const [head, body] = token(bea, {}, { header: { alg: 'RS256' } }).split('.');
    return `${head}.${body}.${createSign('RSA-SHA256').update(`${head}.${body}`).sign(privateKey, 'base64url')}`;
  };
  const cases = {
    'none at all': [undefined, 'unauthorized'],
    'empty': ['', 'unauthorized'],
    'not a string': [{ a: 1 }, 'unauthorized'],
    'garbage': ['garbage', 'unauthorized'],
    'dots': ['.'.repeat(15_000), 'unauthorized'],
    'alg none': [unsigned(), 'unauthorized'],
    'an algorithm that is not configured': [rs256(), 'unauthorized'],
    'a public key as the secret': [token(bea, {}, { key: pem }), 'unauthorized'],
    'another secret': [token(bea, {}, { key: 'x'.repeat(40) }), 'unauthorized'],
    'kid as a path': [token(bea, {}, { header: { kid: '../../dev/null' }, key: '' }), 'unauthorized'],
    'expired': [token(bea, { exp: now - 60 }), 'token_expired'],
    'no exp': [token(bea, { exp: undefined }), 'unauthorized'],
    'no sub': [token(bea, { sub: undefined }), 'unauthorized'],
    'sub is no UUID': [token(bea, { sub: 'bea' }), 'unauthorized'],
    'no username': [token(bea, { username: undefined }), 'unauthorized'],
    'not yet valid': [token(bea, { nbf: now + 3600 }), 'unauthorized'],
  };
  for (const [name, [bad, code]] of Object.entries(cases)) {
    test(name, async () => assert.equal(await refusal({ auth: { token: bad } }), code));
  }
  test('more than a stranger may send', async () => {
    for (const length of [17_000, 1_000_000]) {
      const socket = open({ transports: ['websocket'], auth: { token: 'x'.repeat(length) } });
      const reason = await new Promise((resolve) => socket.io.once('close', resolve));
      assert.match(reason, /^transport (close|error)$/);
      assert.ok(!socket.connected);
      socket.close();
    }
  });
  test('in the query string', async () => assert.equal(await refusal({ query: { token: token(bea) } }), 'unauthorized'));

  test('a socket lives no longer than its token, and is told', async () => {
    const socket = await connect(bea, { auth: { token: token(bea, { exp: Math.floor(Date.now() / 1000) + 2 }) } });
    const reason = await new Promise((resolve) => socket.once('disconnect', resolve));
    assert.equal(reason, 'io server disconnect');
    assert.equal(events(socket, 'exception')[0].code, 'token_expired');
  });

  test('auth:refresh extends it, but only for the same user', async () => {
    const socket = await connect(bea, { auth: { token: token(bea, { exp: Math.floor(Date.now() / 1000) + 2 }) } });
    assert.equal((await ask(socket, 'auth:refresh', { token: token(user('Eve')) })).code, 'forbidden');
    assert.equal((await ask(socket, 'auth:refresh', { token: 'x' })).code, 'unauthorized');
    const { expiresAt } = await must(socket, 'auth:refresh', { token: token(bea) });
    assert.ok(expiresAt > Date.now() + 3_500_000);
    await sleep(2_500);
    assert.ok(socket.connected);
    socket.close();
  });
});

describe('payloads', () => {
  test('each fault names its field, by acknowledgement and by exception', async () => {
    const { id: conversationId, buyer, close } = await pair();
    const many = (n) => Array.from({ length: n }, () => 'https://example.com/a.jpg');
    const cases = [
      ['send:message', { conversationId }, 'message'],
      ['send:message', { conversationId, message: '' }, 'message'],
      ['send:message', { conversationId, message: '', attachmentUrls: [] }, 'message'],
      ['send:message', { conversationId, message: 'a'.repeat(10_001) }, 'message'],
      ['send:message', { conversationId, message: 7 }, 'message'],
      ['send:message', { conversationId, message: { text: 'x' } }, 'message'],
      ['send:message', { conversationId, message: 'a\ud800b' }, 'message'],
      ['send:message', { conversationId, attachmentUrls: 'https://a.b/c' }, 'attachmentUrls'],
      ['send:message', { conversationId, attachmentUrls: [1] }, 'attachmentUrls[0]'],
      ['send:message', { conversationId, attachmentUrls: many(11) }, 'attachmentUrls'],
      ['send:message', { conversationId, attachmentUrls: many(5_000) }, 'attachmentUrls'],
      ['send:message', { conversationId, attachmentUrls: ['https://a.b/c', 'javascript:alert(1)'] }, 'attachmentUrls[1]'],
      ['send:message', { conversationId, message: 'x', clientMessageId: 'mine' }, 'clientMessageId'],
      ['send:message', { message: 'x' }, 'conversationId'],
      ['send:message', { conversationId: 'your-conversation-id', message: 'x' }, 'conversationId'],
      ['send:message', { conversationId: 5, message: 'x' }, 'conversationId'],
      ['join:conversation', {}, 'conversationId'],
      ['join:conversation', { conversationId, afterSeq: -1 }, 'afterSeq'],
      ['join:conversation', { conversationId, afterSeq: 'x' }, 'afterSeq'],
      ['leave:conversation', {}, 'conversationId'],
      ['typing:start', { conversationId: null }, 'conversationId'],
      ['typing:stop', {}, 'conversationId'],
      ['mark:read', {}, 'messageId'],
      ['mark:read', { messageId: 'x' }, 'messageId'],
      ['get:online_status', {}, 'userIds'],
      ['get:online_status', { userIds: 'x' }, 'userIds'],
      ['get:online_status', { userIds: Array.from({ length: 101 }, () => 'x') }, 'userIds'],
      ['auth:refresh', {}, 'token'],
      ['no:such:event', {}, 'event'],
    ];
    for (const payload of ['text', 5, null, ['x'], true]) cases.push(['send:message', payload, 'payload']);
    for (const [event, payload, field] of cases) {
      const before = events(buyer, 'exception').length;
      const ack = await ask(buyer, event, payload);
      const label = `${event} ${JSON.stringify(payload)?.slice(0, 80)}: ${JSON.stringify(ack)}`;
      assert.equal(ack.ok, false, label);
      assert.equal(ack.code, 'invalid', label);
      assert.equal(ack.field, field, label);
      const exception = (await until(() => events(buyer, 'exception')[before], 5_000, () => `no exception for ${label}`));
      assert.deepEqual(exception, { event, error: ack.error, code: 'invalid', field }, label);
    }
    assert.ok(buyer.connected);
    close();
  });

  test('what is odd but allowed arrives as it was sent', async () => {
    const { id: conversationId, buyer, seller, close } = await pair();
    const texts = ['a\u0000b', '😀'.repeat(10_000), 'a'.repeat(10_000), '<script>alert(1)</script>', '\u202eabc', '  ', '\n'];
    for (const message of texts) await must(buyer, 'send:message', { conversationId, message, senderId: randomUUID() });
    await until(() => events(seller, 'new:message').length === texts.length);
    assert.deepEqual(events(seller, 'new:message').map((m) => m.message), texts);
    close();
  });
});

test('somebody else\'s conversation and one that does not exist answer alike', async () => {
  const { id, buyer, close } = await pair();
  const { messageId } = await must(buyer, 'send:message', { conversationId: id, message: 'secret' });
  await got(buyer, 'new:message');
  const eve = user('Eve');
  const socket = await connect(eve);
  const answers = async (conversationId, message) => [
    await ask(socket, 'join:conversation', { conversationId }),
    await ask(socket, 'join:conversation', { conversationId, afterSeq: 0 }),
    await ask(socket, 'leave:conversation', { conversationId }),
    await ask(socket, 'send:message', { conversationId, message: 'x' }),
    await ask(socket, 'typing:start', { conversationId }),
    await ask(socket, 'typing:stop', { conversationId }),
    await ask(socket, 'mark:read', { messageId: message }),
    ...(await Promise.all([`/v1/conversations/${conversationId}`, `/v1/conversations/${conversationId}/messages`]
      .map(async (path) => { const { status, body } = await api('GET', path, { as: token(eve) }); return { status, body }; }))),
  ];
  const foreign = await answers(id, messageId), missing = await answers(randomUUID(), randomUUID());
  assert.deepEqual(foreign, missing);
  assert.equal(foreign[0].code, 'not_found');
  assert.equal(foreign[6].code, 'not_found');
  assert.equal(foreign[7].status, 404);
  assert.deepEqual(events(socket, 'new:message'), []);
  socket.close();
  close();
});

test('one client message id is one message; another body is a conflict', async () => {
  const { id: conversationId, sam, buyer, seller, close } = await pair();
  const clientMessageId = randomUUID();
  const send = (socket, message) => ask(socket, 'send:message', { conversationId, message, clientMessageId });
  const burst = await Promise.all([send(buyer, 'once'), send(buyer, 'once'), send(buyer, 'once')]);
  await got(seller, 'new:message');
  await must(buyer, 'send:message', { conversationId, message: 'behind it' });
  await got(seller, 'new:message', (m) => m.message === 'behind it');
  const later = await send(buyer, 'once');
  for (const ack of [...burst, later]) assert.equal(ack.messageId, burst[0].messageId, JSON.stringify(ack));
  assert.deepEqual(await send(buyer, 'something else').then((a) => [a.ok, a.code, a.field]), [false, 'conflict', 'clientMessageId']);
  const sams = await send(seller, 'once'); // another sender's id is another message
  assert.notEqual(sams.messageId, burst[0].messageId);
  await got(buyer, 'new:message', (m) => m.id === sams.messageId);
  assert.deepEqual(events(buyer, 'new:message').map((m) => [m.seq, m.message]), [[1, 'once'], [2, 'behind it'], [3, 'once']]);
  assert.equal(events(buyer, 'new:message')[0].clientMessageId, clientMessageId);
  const { body } = await api('GET', `/v1/conversations/${conversationId}/messages`, { as: token(sam) });
  assert.equal(body.messages.length, 3);
  close();
});

test('a conflict that only the numbering sees comes as an exception', async () => {
  const { id: conversationId, buyer, close } = await pair();
  const clientMessageId = randomUUID();
  const acks = await Promise.all(['first', 'second'].map((message) => ask(buyer, 'send:message', { conversationId, message, clientMessageId })));
  await got(buyer, 'new:message');
  if (acks[1].ok) {
    const { data } = await got(buyer, 'exception', (e) => e.code === 'conflict');
    assert.equal(data.clientMessageId, clientMessageId);
    assert.equal(data.conversationId, conversationId);
  } else {
    assert.equal(acks[1].code, 'conflict');
  }
  await sleep(200);
  assert.deepEqual(events(buyer, 'new:message').map((m) => m.message), ['first']);
  close();
});

test('a removed member is out of the room within 5 seconds, and a new one gets in', async () => {
  const { id, sam, buyer, seller, close } = await pair();
  const as = service();
  assert.equal((await api('DELETE', `/v1/conversations/${id}/members/${sam.id}`, { as })).status, 204);
  const { data } = await got(seller, 'exception', (e) => e.conversationId === id, 5_000);
  assert.equal(data.code, 'not_found');
  await must(buyer, 'send:message', { conversationId: id, message: 'he is gone' });
  await got(buyer, 'new:message');
  assert.deepEqual(events(seller, 'new:message'), []);
  assert.deepEqual(events(seller, 'message:notification'), []);
  assert.equal((await ask(seller, 'send:message', { conversationId: id, message: 'x' })).code, 'not_joined');
  assert.equal((await ask(seller, 'join:conversation', { conversationId: id })).code, 'not_found');
  assert.equal((await api('PUT', `/v1/conversations/${id}/members/${sam.id}`, { as, body: { username: 'Sam' } })).status, 200);
  await must(seller, 'join:conversation', { conversationId: id, afterSeq: 0 });
  await got(seller, 'new:message', (m) => m.message === 'he is gone');
  close();
});

test('floods are refused with rate_limited, and end the socket when they go on', async () => {
  const { id, buyer, close } = await pair();
  for (let i = 0; i < 2_000; i++) buyer.emit('typing:start', { conversationId: id });
  await got(buyer, 'exception', (e) => e.code === 'rate_limited');
  await until(() => buyer.disconnected, 10_000);
  close();
});
