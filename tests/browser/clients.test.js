// SPDX-License-Identifier: LGPL-2.1-or-later
// Clients that were written elsewhere, unmodified from npm: Reactor's JavaScript SDK in local mode with its React parts, and a
// WHEP player.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { makePage, servePage } from './bundle.js';
import { browser, here, model, stats, together, until } from './harness.js';
import { brief, judge, watch } from './watch.js';

const PIPELINE = 'reactorsrc ! reactorpace ! reactorwebrtcsink session-grace=3000000000';

let chromium;
let child;

before(async () => {
  ({ child, chromium } = await together({ child: model('tests/browser/model.py:Numbered', { args: ['--pipeline', PIPELINE] }), chromium: browser() }));
});
after(async () => {
  await chromium?.close();
  await child?.stop();
});

async function open(code) {
  const server = await servePage(code);
  const page = await chromium.page();
  await page.addInitScript({ path: path.join(here, 'probe.js') });
  await page.goto(server.url);
  return { page, close: async () => { await page.context().close(); server.close(); } };
}

const SDK = `
import { Reactor } from '@reactor-team/js-sdk';
globalThis.log = { status: [], messages: [], runtime: [], errors: [] };
globalThis.make = (apiUrl) => {
  const client = new Reactor({ modelName: 'numbered', local: true, apiUrl });
  client.on('statusChanged', (status) => log.status.push(status));
  client.on('message', (message) => log.messages.push(message));
  client.on('runtimeMessage', (message) => log.runtime.push(message));
  client.on('error', (error) => log.errors.push(error));
  client.on('trackReceived', (name, track, stream) => {
    let video = document.querySelector('video');
    if (!video) {
      video = Object.assign(document.createElement('video'), { muted: true, autoplay: true, playsInline: true });
      document.body.append(video);
    }
    log.track = name;
    video.srcObject = stream ?? new MediaStream([track]);
  });
  globalThis.client = client;
  return client;
};
globalThis.ready = true;
`;

test('the SDK connects in local mode, shows the video, talks to the model, reconnects and disconnects', async () => {
  const { page, close } = await open(SDK);
  try {
    await page.waitForFunction(() => globalThis.ready);
    await page.evaluate((url) => make(url).connect(), child.url.slice(0, -1));
    await page.waitForFunction(() => client.getStatus() === 'ready', null, { timeout: 10000 });
    assert.equal(await page.evaluate(() => log.track), 'main_video');
    await page.waitForFunction(() => probe.frames.some((frame) => frame.number !== null), null, { timeout: 6000 });
    await page.waitForFunction(() => log.messages.some((message) => 'started' in message));
    await watch(page, 1500);
    const seen = judge(await watch(page, 3000));
    console.log(`  SDK: ${brief(seen)}`);
    assert.ok(seen.shown > 50 && seen.backwards === 0 && seen.missing <= 0.03 * seen.shown, brief(seen));
    assert.ok(seen.rtp.p95 < 1.5 * seen.rtp.p50, brief(seen.rtp));

    await page.evaluate(() => client.sendCommand('echo', { text: 'from the SDK' }));
    await page.waitForFunction(() => log.messages.some((message) => message.echo === 'from the SDK'), null, { timeout: 3000 });
    await page.evaluate(() => client.sendCommand('paint', { colour: 'blue' }));
    await page.waitForFunction(() => { const [r, , b] = probe.now().mean; return b > 150 && r < 90; }, null, { timeout: 5000 });
    await page.evaluate(() => client.sendCommand('requestCapabilities', {}, 'runtime'));
    await page.waitForFunction(() => log.runtime.some((message) => message.type === 'modelCapabilities' && message.data.commands.some((one) => one.name === 'paint')), null, { timeout: 8000 });
    assert.equal((await session()).viewers, 1);

    const id = await page.evaluate(() => client.getSessionId());
    await page.evaluate(async () => { await client.disconnect(true); probe.frames.length = 0; });
    await page.evaluate(() => client.reconnect());
    await page.waitForFunction(() => client.getStatus() === 'ready' && probe.frames.length > 5, null, { timeout: 10000 });
    assert.equal(await page.evaluate(() => client.getSessionId()), id, 'the same session');
    assert.equal(await page.evaluate(() => log.messages.filter((message) => 'started' in message).length), 1, 'the model was not started anew');

    await page.evaluate(() => client.disconnect());
    assert.equal(await page.evaluate(() => client.getStatus()), 'disconnected');
    await until('the session to end', async () => (await session()).viewers === 0 && /idle|ended/.test((await session()).state), { timeout: 5000 });
    assert.deepEqual(await page.evaluate(() => log.errors), []);
  } finally {
    await close();
  }
});

const REACT = `
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ReactorController, ReactorProvider, ReactorView, useReactor } from '@reactor-team/js-sdk';
function Status() {
  globalThis.status = useReactor((state) => state.status);
  globalThis.actions = useReactor((state) => state);
  return null;
}
globalThis.show = (apiUrl) => createRoot(document.getElementById('root')).render(
  <StrictMode>
    <ReactorProvider modelName="numbered" local apiUrl={apiUrl} jwtToken="local" connectOptions={{ autoConnect: true }}>
      <ReactorView width={1280} height={704} />
      <ReactorController />
      <Status />
    </ReactorProvider>
  </StrictMode>);
globalThis.ready = true;
`;

test('its React view, mounted twice by StrictMode, ends in one working connection', async () => {
  const { page, close } = await open(REACT);
  try {
    await page.waitForFunction(() => globalThis.ready);
    await page.evaluate((url) => show(url), child.url.slice(0, -1));
    await page.waitForFunction(() => globalThis.status === 'ready', null, { timeout: 15000 });
    await page.waitForFunction(() => probe.frames.filter((frame) => frame.number !== null).length > 20, null, { timeout: 10000 });
    await page.getByText('paint').first().waitFor({ timeout: 8000 });
    await until('one viewer', async () => (await session()).viewers === 1, { timeout: 8000 });
  } finally {
    await close();
  }
});

const PLAYER = `
import { WebRTCPlayer } from '@eyevinn/webrtc-player';
globalThis.play = async (url) => {
  const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true, playsInline: true });
  document.body.append(video);
  globalThis.player = new WebRTCPlayer({ video, type: 'whep', statsTypeFilter: '^inbound-rtp' });
  await player.load(new URL(url));
};
globalThis.ready = true;
`;

test('a WHEP player plays and leaves', async () => {
  // In a page of the sink's own origin: this player resolves the Location against the page that it runs in.
  const { html, script } = await makePage(PLAYER);
  const page = await chromium.page();
  await page.addInitScript({ path: path.join(here, 'probe.js') });
  await page.route('**/player.html', (route) => route.fulfill({ contentType: 'text/html', body: html }));
  await page.route('**/bundle.js', (route) => route.fulfill({ contentType: 'text/javascript', body: script }));
  await page.goto(`${child.url}player.html`);
  try {
    await page.waitForFunction(() => globalThis.ready);
    await page.evaluate((url) => play(url), `${child.url}whep`);
    await page.waitForFunction(() => globalThis.probe.frames.filter((frame) => frame.number !== null).length > 30, null, { timeout: 12000 });
    // The page of the test before may be counted still: it went away without a word.
    const players = async () => (await stats(child)).viewers.filter((viewer) => viewer.protocol === 'whep').length;
    assert.equal(await players(), 1);
    await page.evaluate(() => player.unload());
    await until('the player to be gone', async () => (await players()) === 0, { timeout: 5000 });
  } finally {
    await page.context().close();
  }
});

/** {state, viewers} of the running session as /stats has it. */
async function session() {
  const report = await stats(child);
  return { state: report.session.state, viewers: report.viewers.length };
}
