// Sends without pause over several conversations while parts of the product are killed and restarted around it,
// then holds what was acknowledged and what was shown against the history. Speaks with restart_test.go
// in lines: prints `sending` when all goes well and it is worth killing, reads `done` or `finish`, prints a report.
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { api, conversation, gateway, open, service, sleep, token, until, user } from './world.mjs';

const conversations = 5, perRound = 100;
const rooms = await Promise.all(Array.from({ length: conversations }, async () => {
  const bea = user('Bea'), sam = user('Sam');
  return { id: await conversation(bea, sam), bea, sam, sent: new Map(), acked: new Map(), shown: new Map() };
}));
let acked = 0, running = true;

/** A device that comes back by itself, each time to the next gateway, and asks for what it missed. */
function device(room, who, name) {
  const shown = [];
  let on = room.shown.size;
  room.shown.set(name, shown);
  const socket = open({ on, transports: ['websocket'], auth: { token: token(who) }, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  const join = async () => {
    const ack = await socket.timeout(5_000).emitWithAck('join:conversation', { conversationId: room.id, afterSeq: shown.at(-1)?.seq ?? 0 }).catch(() => null);
    if (!ack?.ok && socket.connected) { await sleep(50); await join(); }
  };
  socket.on('connect', join);
  socket.on('disconnect', () => { socket.io.uri = gateway(++on); });
  socket.on('new:message', (m) => shown.push(m));
  return socket;
}

/** Sends one message after the other; what was not acknowledged is tried again with the same id. */
async function sender(room, socket) {
  for (let n = 0; running; n++) {
    const message = `${room.id} ${n}`, clientMessageId = randomUUID();
    room.sent.set(message, clientMessageId);
    for (let ack; !ack?.ok;) {
      ack = await socket.timeout(2_000).emitWithAck('send:message', { conversationId: room.id, message, clientMessageId }).catch(() => null);
      if (ack?.ok) { room.acked.set(ack.messageId, message); acked++; } else await sleep(200);
    }
    await sleep(40); // no faster than a socket may for long, nor so often refused that it is sent away
  }
}

const sockets = rooms.flatMap((room) => [device(room, room.bea, 'bea'), device(room, room.sam, 'sam'), device(room, room.sam, 'sam phone')]);
const senders = rooms.map((room, i) => sender(room, sockets[3 * i]));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const shownTo = () => rooms.flatMap((room) => [...room.shown.values()].map((shown) => shown.length));
for (;;) {
  const floor = acked, before = shownTo();
  await until(() => acked >= floor + perRound, 60_000, () => `only ${acked - floor} acknowledged`);
  await until(() => shownTo().every((n, i) => n >= before[i] + 10), 60_000, () => `shown ${shownTo()}, before ${before}`);
  console.log('sending');
  if ((await lines.next()).value === 'finish') break;
}
running = false;
await Promise.all(senders);

const backend = service(); // has no limit of requests

/** The whole history, page by page. */
async function read(room) {
  const history = [];
  for (let after = 0, page; (page = (await api('GET', `/v1/conversations/${room.id}/messages?afterSeq=${after}&limit=100`, { as: backend })).body.messages).length; after = page.at(-1).seq) history.push(...page);
  return history;
}

const report = { acked, lost: [], repeated: [], gaps: [], phantom: [], disagreeing: [] };
for (const room of rooms) {
  let history, ids;
  await until(async () => { // an acknowledged message may still be on its way to the store
    history = await read(room);
    ids = new Set(history.map((m) => m.id));
    return [...room.acked.keys()].every((id) => ids.has(id));
  }, 45_000).catch(() => {}); // a consumer that was killed is missed for some seconds on a real Kafka
  report.lost.push(...[...room.acked.keys()].filter((id) => !ids.has(id)));
  if (ids.size < history.length || new Set(history.map((m) => m.message)).size < history.length) report.repeated.push(room.id);
  history.forEach((m, i) => { if (m.seq !== i + 1) report.gaps.push(`${room.id} ${m.seq}`); });
  report.phantom.push(...history.filter((m) => !room.sent.has(m.message)).map((m) => m.id));
  for (const [name, shown] of room.shown) {
    await until(() => shown.length >= history.length, 20_000, () => `${name} was shown ${shown.length} of ${history.length}`).catch((e) => report.disagreeing.push(e.message));
    if (JSON.stringify(shown) !== JSON.stringify(history)) report.disagreeing.push(`${room.id} ${name}`);
  }
}
console.log(JSON.stringify(report));
process.exit(0);
