// What every suite needs: tokens, conversations, sockets that remember what they were sent.
// DOZAAR_URLS says where the gateways are, DOZAAR_JWT_SECRET signs.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { io } from 'socket.io-client';

const urls = process.env.DOZAAR_URLS?.split(',');
const secret = process.env.DOZAAR_JWT_SECRET;
assert.ok(urls && secret, 'DOZAAR_URLS and DOZAAR_JWT_SECRET must be set: run the suite by `go test ./cmd/dozaar/e2e`');

/** The n-th gateway's address; with one gateway it is always that one. */
export const gateway = (n) => urls[n % urls.length];
export const url = gateway(0);
let turn = 0; // sockets and requests go to the gateways in turn, unless they say to which

const base64 = (value) => Buffer.from(value).toString('base64url');

/** A token, signed as a marketplace would. `claims` and `header` override anything. */
export function token(user, claims = {}, { header = {}, key = secret } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const head = base64(JSON.stringify({ alg: 'HS256', typ: 'JWT', ...header }));
  const body = base64(JSON.stringify({ sub: user.id, username: user.username, iat: now, exp: now + 3600, ...claims }));
  const signature = createHmac('sha256', key).update(`${head}.${body}`).digest('base64url');
  return `${head}.${body}.${signature}`;
}

export const user = (username) => ({ id: randomUUID(), username });
export const service = () => token(user('marketplace'), { scope: 'service' });

/** One request to the HTTP API; answers {status, headers, body}. */
export async function api(method, path, { as, body, headers = {}, on = turn++ } = {}) {
  const response = await fetch(gateway(on) + path, {
    method,
    headers: { ...(as && { authorization: `Bearer ${as}` }), ...(body && { 'content-type': 'application/json' }), ...headers },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
}

/** A new conversation of these users, made by the marketplace. */
export async function conversation(...users) {
  const { status, body } = await api('POST', '/v1/conversations', {
    as: service(),
    body: { members: users.map((u) => ({ userId: u.id, username: u.username })) },
  });
  assert.equal(status, 201, JSON.stringify(body));
  return body.id;
}

/** A connected socket that remembers every event it got, in order, in `socket.log`. */
export async function connect(who, { transports = ['websocket'], ...options } = {}) {
  const socket = open({ transports, auth: { token: token(who) }, ...options });
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

/** The same, without waiting for anything. `on` is the gateway. */
export function open({ on = turn++, ...options } = {}) {
  const socket = io(`${gateway(on)}/chat`, { forceNew: true, reconnection: false, ...options });
  socket.log = [];
  socket.onAny((event, data) => socket.log.push({ event, data, at: Date.now() }));
  return socket;
}

/** Emits with acknowledgement; answers the acknowledgement. */
export const ask = (socket, event, payload) => socket.timeout(10_000).emitWithAck(event, payload);

/** Emits and insists on {ok: true}. */
export async function must(socket, event, payload) {
  const ack = await ask(socket, event, payload);
  assert.equal(ack.ok, true, `${event}: ${JSON.stringify(ack)}`);
  return ack;
}

/** The first logged event of that name (that fits), past or to come. */
export async function got(socket, event, fits = () => true, ms = 15_000) {
  return until(() => socket.log.find((e) => e.event === event && fits(e.data)), ms,
    () => `${event} did not come; got ${JSON.stringify(socket.log.slice(-20))}`);
}

/** Waits until `probe` answers something true. */
export async function until(probe, ms = 15_000, what = () => 'it did not happen') {
  const end = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) assert.fail(what());
    await sleep(10);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const events = (socket, event) => socket.log.filter((e) => e.event === event).map((e) => e.data);

/** Two members of one conversation, both connected, each to a gateway of their own, and joined. */
export async function pair(options) {
  const bea = user('Bea'), sam = user('Sam');
  const id = await conversation(bea, sam);
  const [buyer, seller] = await Promise.all([connect(bea, { on: 0, ...options }), connect(sam, { on: 1, ...options })]);
  await Promise.all([must(buyer, 'join:conversation', { conversationId: id }), must(seller, 'join:conversation', { conversationId: id })]);
  return { id, bea, sam, buyer, seller, close: () => { buyer.close(); seller.close(); } };
}
