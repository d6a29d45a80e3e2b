// The page in a real browser, from another origin than the gateway's: the page comes from localhost,
// its sockets and requests go to 127.0.0.1. Its people and their conversations are always the same, so that there
// may be messages of earlier runs: what is said here carries a mark of this run. DOZAAR_PICTURE names a file for the
// README's picture.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium, devices } from 'playwright-core';
import { connect, gateway, must, url } from './world.mjs';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
const page = (n) => `${url.replace('127.0.0.1', 'localhost')}/?gateway=${encodeURIComponent(gateway(n))}`;
const run = process.env.DOZAAR_PICTURE ? '' : ` (${Date.now().toString(36)})`;
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'],
  });
});
after(() => browser?.close());

/** A window of its own, as on another machine. What the page complains about fails the test. */
async function open(address, options = { viewport: { width: 900, height: 780 } }) {
  const context = await browser.newContext(options);
  const window = await context.newPage();
  window.setDefaultTimeout(10_000);
  window.complaints = [];
  window.on('pageerror', (error) => window.complaints.push(error.message));
  window.on('console', (message) => message.type() === 'error' && window.complaints.push(message.text()));
  await window.goto(address);
  return window;
}

/** The message of this run that begins so. */
const message = (window, text) => window.getByTestId('message').filter({ hasText: text }).filter({ hasText: run });
const composer = (window) => window.getByTestId('composer');
async function say(window, text) {
  await composer(window).fill(text + run);
  await window.getByTestId('send').click();
}

test('two windows talk, one reloads, one goes away and comes back', async () => {
  const [buyer, seller] = await Promise.all([open(`${page(0)}&as=buyer`), open(`${page(1)}&as=seller`)]);
  for (const window of [buyer, seller]) {
    await window.locator('[data-testid=status][data-state=online]').waitFor();
    await window.getByTestId('conversation').filter({ hasText: 'Walnut desk' }).click();
  }

  await composer(buyer).pressSequentially(`Is the desk still there?${run}`, { delay: 20 });
  await seller.getByTestId('typing').filter({ hasText: /./ }).waitFor();
  await buyer.getByTestId('send').click();
  await message(seller, 'Is the desk still there?').waitFor();
  await buyer.locator('[data-testid=message][data-state=read]').filter({ hasText: `Is the desk still there?${run}` }).waitFor();
  await seller.getByTestId('typing').waitFor({ state: 'hidden' });

  await say(seller, 'It is! <img src=x onerror="document.title=1">');
  const inert = message(buyer, 'It is!');
  await inert.waitFor();
  assert.equal(await inert.locator('img').count(), 0, 'markup in a message is text');

  await buyer.reload(); // and finds everything where it was
  await buyer.getByTestId('conversation').filter({ hasText: 'Walnut desk' }).click();
  await message(buyer, 'It is!').waitFor();
  const texts = async (window) => (await window.getByTestId('message').getByTestId('text').allTextContents()).filter((text) => text.endsWith(run));
  assert.equal((await texts(buyer)).length, 2);
  await say(buyer, 'I was gone for a moment');
  await message(seller, 'I was gone for a moment').waitFor();

  await seller.getByTestId('offline-toggle').click();
  await seller.locator('[data-testid=status][data-state=offline]').waitFor();
  await buyer.getByTestId('presence').filter({ hasText: /offline|last seen/i }).waitFor();
  for (let i = 1; i <= 3; i++) await say(buyer, `missed ${i}`);
  await message(buyer, 'missed 3').waitFor();
  assert.equal(await message(seller, 'missed').count(), 0);
  await seller.getByTestId('offline-toggle').click();
  await message(seller, 'missed 3').waitFor();
  assert.deepEqual(await texts(seller), await texts(buyer));
  assert.deepEqual((await texts(seller)).slice(-3), [1, 2, 3].map((i) => `missed ${i}${run}`));

  // A conversation that is not open: unread until it is looked at.
  const bike = (window) => window.getByTestId('conversation').filter({ hasText: 'Road bike' });
  await bike(seller).click(); // whatever an earlier run left there is read
  await bike(seller).getByTestId('unread').waitFor({ state: 'hidden' });
  await seller.getByTestId('conversation').filter({ hasText: 'Walnut desk' }).click();
  await bike(buyer).click();
  await say(buyer, 'And the bike?');
  await bike(seller).getByTestId('unread').filter({ hasText: '1' }).waitFor();
  await seller.getByTestId('toast').filter({ hasText: `And the bike?${run}` }).waitFor();
  await bike(seller).click();
  await bike(seller).getByTestId('unread').waitFor({ state: 'hidden' });
  await buyer.locator('[data-testid=message][data-state=read]').filter({ hasText: `And the bike?${run}` }).waitFor();

  for (const window of [buyer, seller]) assert.deepEqual(window.complaints, []);
  await Promise.all([buyer, seller].map((window) => window.context().close()));
});

test('older messages come on scrolling up', async () => {
  const { buyer, conversations } = await (await fetch(`${url}/dev/session`, { method: 'POST' })).json();
  const bea = { id: buyer.userId, username: buyer.username };
  const socket = await connect(bea, { auth: { token: buyer.token } });
  const window = await open(`${page(1)}&as=seller`);
  const camera = window.getByTestId('conversation').filter({ hasText: 'film camera' });
  await camera.waitFor();
  const conversationId = await camera.getAttribute('data-conversation');
  assert.ok(conversations.includes(conversationId));
  const { lastSeq } = await must(socket, 'join:conversation', { conversationId });
  for (let i = 1; i <= 90; i++) await must(socket, 'send:message', { conversationId, message: `line ${i}.${run}` });
  socket.close();
  await camera.filter({ hasText: 'line 90.' }).waitFor(); // stored, not only acknowledged
  await camera.click();
  await message(window, 'line 90.').waitFor();
  assert.equal(await message(window, /line 1\./).count(), 0);
  for (let tries = 0; (await message(window, /line 1\./).count()) === 0 && tries < 40; tries++) {
    await window.getByTestId('message-list').hover();
    await window.mouse.wheel(0, -3_000);
    await window.waitForTimeout(100);
  }
  await message(window, /line 1\./).waitFor();
  const seqs = await window.getByTestId('message').evaluateAll((all) => all.map((m) => Number(m.dataset.seq)));
  assert.deepEqual(seqs.slice(-90), Array.from({ length: 90 }, (_, i) => lastSeq + i + 1));
  await window.context().close();
});

test('both sides in one window, and on a phone', async () => {
  const both = await open(url, { viewport: { width: 1280, height: 800 } });
  const [buyer, seller] = ['pane-buyer', 'pane-seller'].map((id) => both.getByTestId(id));
  for (const pane of [buyer, seller]) await pane.getByTestId('conversation').filter({ hasText: 'Walnut desk' }).click();
  const lines = [[buyer, 'Could you do €450 if I pick it up today?'], [seller, 'Today works. €460 and I help you carry it.'], [buyer, 'Deal! On my way around six.']];
  for (const [pane, text] of lines) {
    await say(pane, text);
    for (const other of [buyer, seller]) await message(other, text).waitFor();
  }
  await composer(seller).pressSequentially('See you then');
  await buyer.getByTestId('typing').filter({ hasText: /./ }).waitFor();
  if (process.env.DOZAAR_PICTURE) await both.screenshot({ path: process.env.DOZAAR_PICTURE });
  assert.deepEqual(both.complaints, []);
  await both.context().close();

  const phone = await open(url, devices['Pixel 7']);
  await phone.getByTestId('conversation').filter({ hasText: 'Walnut desk' }).first().tap();
  await phone.getByTestId('pane-buyer').getByTestId('message').last().waitFor();
  assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true, 'nothing sticks out');
  await phone.getByTestId('show-seller').tap();
  await phone.getByTestId('pane-seller').waitFor();
  if (process.env.DOZAAR_PICTURE) await phone.screenshot({ path: process.env.DOZAAR_PICTURE.replace('.png', '-phone.png') });
  assert.deepEqual(phone.complaints, []);
  await phone.context().close();
});
