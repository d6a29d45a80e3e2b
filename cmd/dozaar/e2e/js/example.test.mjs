// The contract's 'Complete Client Example' runs unchanged but for URL, token and ids.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { connect, conversation, got, must, token, until, url, user } from './world.mjs';

test('the complete client example', async () => {
  const document = readFileSync(new URL('../../../../docs/websocket-api.txt', import.meta.url), 'utf8');
  const example = document.split('Complete Client Example')[1].split('✨ Best Practices')[0];
  const bea = user('Bea'), sam = user('Sam');
  const id = await conversation(bea, sam);
  const code = example
    .replace('ws://your-domain.com/chat', `${url.replace('http', 'ws')}/chat`)
    .replace('YOUR_JWT_TOKEN', token(bea))
    .replaceAll('your-conversation-id', id);
  assert.notEqual(code, example);
  const file = new URL(`./.example-${process.pid}.mjs`, import.meta.url);
  // The example defines its functions and leaves calling them to the reader.
  writeFileSync(file, `${code}\nprocess.on('message', (call) => ({ sendMessage, startTyping, stopTyping })[call[0]](call[1]));\n`);
  const child = spawn(process.execPath, [file.pathname], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  try {
    let out = '';
    child.stdout.on('data', (chunk) => { out += chunk; });
    await until(() => out.includes('✅ Connected to Dozaar'), 10_000, () => `no connect; printed ${out}`);
    const seller = await connect(sam, { on: 1 });
    await must(seller, 'join:conversation', { conversationId: id });
    await until(() => out.includes('🟢 User online:') && out.includes(sam.id), 5_000, () => `no user:online; printed ${out}`);
    // `connect` is printed before the room is joined: a member that only watches sees when it is.
    await until(() => { child.send(['startTyping']); return seller.log.some((e) => e.event === 'user:typing' && e.data.userId === bea.id); });
    child.send(['stopTyping']);
    await got(seller, 'user:stopped_typing');
    child.send(['sendMessage', 'Hello from the example']);
    const { data } = await got(seller, 'new:message');
    assert.equal(data.message, 'Hello from the example');
    await until(() => out.includes('📨 New message:') && out.includes('Hello from the example'), 5_000, () => `printed ${out}`);
    await must(seller, 'typing:start', { conversationId: id });
    await until(() => out.includes('⌨️ User typing:'), 5_000, () => `printed ${out}`);
    seller.close();
    await until(() => out.includes('⚫ User offline:'), 15_000, () => `no user:offline; printed ${out}`);
  } finally {
    child.kill();
    rmSync(file);
  }
});
