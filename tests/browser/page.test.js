// SPDX-License-Identifier: LGPL-2.1-or-later
// The page alone, against a sink that lives in the page itself (fake-sink.js): what it shows in each state, what it sends,
// where the token goes, and what it measures.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import path from 'node:path';
import { browser, here, serve, sleep } from './harness.js';

let server;
let chromium;
let page;

before(async () => {
  server = await serve();
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  server?.close();
});
afterEach(async () => {
  await page?.context().close();
  page = null;
});

/** Opens the page with the fake sink, set up by `prepare` (runs in the page before the page's code). */
async function open({ prepare, hash = '', picture = true, ...options } = {}) {
  page = await chromium.page(options);
  await page.addInitScript({ path: path.join(here, 'fake-sink.js') });
  if (prepare) await page.addInitScript(prepare);
  await page.goto(server.url + hash);
  if (picture) await page.waitForFunction(() => globalThis.reactor?.frames.displayed.length > 3);
  return page;
}

const status = () => page.textContent('#status');
const covered = () => page.evaluate(() => document.getElementById('stage').dataset.cover === 'on');

test('a session is shown: picture, figures and chart, without a fault', async () => {
  await open();
  await page.waitForFunction(() => /fps/.test(document.querySelector('#m-fps dd').textContent) && document.querySelector('#m-bitrate dd').textContent !== '–');
  assert.match(await status(), /Live/);
  assert.equal(await covered(), false);
  assert.match(await page.textContent('#format'), /VP8/);
  assert.match(await page.textContent('#m-queue'), /^\s*Queued\s*7\s*290 ms/);
  const painted = await page.evaluate(() => {
    const canvas = document.getElementById('chart');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = { blocks: 0, released: 0, displayed: 0 };
    const near = (i, r, g, b) => Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24;
    for (let i = 0; i < data.length; i += 4) {
      if (near(i, 0xf2, 0xb8, 0x4b)) seen.blocks += 1;
      if (near(i, 0x79, 0xb0, 0xff)) seen.released += 1;
      if (near(i, 0x63, 0xdc, 0xaa)) seen.displayed += 1;
    }
    return seen;
  });
  for (const [lane, pixels] of Object.entries(painted)) assert.ok(pixels > 20, `lane ${lane} has ${pixels} pixels`);
  assert.deepEqual(page.faults, []);
});

test('the state of the model is shown over the held picture', async () => {
  await open();
  const notice = page.locator('#notice');
  for (const [state, reason, shown] of [
    ['paused', 'disable_monitoring() was called', /Paused by the model.*disable_monitoring/],
    ['model-gone', '', /The model is gone.*last frame is held/],
    ['restarting', 'it crashed: CUDA out of memory', /The model restarts.*CUDA out of memory/],
  ]) {
    await page.evaluate(([s, r]) => { fakeSink.hold = true; fakeSink.say('state', { state: s, reason: r }); }, [state, reason]);
    await notice.filter({ hasText: shown }).waitFor({ timeout: 1000 });
    assert.equal(await covered(), false, 'the picture stays visible');
  }
  await page.evaluate(() => { fakeSink.hold = false; fakeSink.say('state', { state: 'running', reason: '' }); });
  await notice.waitFor({ state: 'hidden', timeout: 5000 });
});

test('before the first frame the page says what it waits for, and what to do', async () => {
  await open({ picture: false, prepare: () => { fakeSink.hold = true; fakeSink.state = { ...fakeSink.state, state: 'waiting', reason: '' }; } });
  await page.locator('#cover-title', { hasText: 'Waiting for a model' }).waitFor();
  assert.match(await page.textContent('#cover-code'), /gst_reactor run/);
  await page.evaluate(() => fakeSink.say('state', { state: 'warming-up', reason: 'loading weights' }));
  await page.locator('#cover-text', { hasText: 'loading weights' }).waitFor({ timeout: 1000 });
  await page.evaluate(() => { fakeSink.hold = false; fakeSink.say('state', { state: 'running', reason: '' }); });
  await page.waitForFunction(() => document.getElementById('stage').dataset.cover === 'off');
});

test('a held picture is no reason to reconnect', async () => {
  await open();
  await page.evaluate(() => { fakeSink.hold = true; });
  await page.locator('#notice', { hasText: 'Held' }).waitFor({ timeout: 6000 });
  await sleep(1500);
  assert.equal(await page.evaluate(() => fakeSink.requests.filter((r) => r.method === 'POST').length), 1);
  assert.match(await page.textContent('#m-hold'), /holding/);
});

test('a session that is over stays over until the user asks for another', async () => {
  await open();
  await page.evaluate(() => { fakeSink.say('state', { state: 'over', reason: 'the model returned' }); setTimeout(fakeSink.drop, 100); });
  await page.locator('#cover-title', { hasText: 'Session over' }).waitFor();
  assert.match(await page.textContent('#cover-text'), /the model returned/);
  await sleep(1200);
  const posts = () => page.evaluate(() => fakeSink.requests.filter((r) => r.method === 'POST').length);
  assert.equal(await posts(), 1);
  await page.evaluate(() => { fakeSink.state = { ...fakeSink.state, state: 'running', reason: '' }; });
  await page.click('#cover-action');
  await page.waitForFunction(() => reactor.connection.state === 'connected' && reactor.frames.displayed.length > 3);
  assert.equal(await covered(), false);
});

test('a server that is not there is asked again until it is', async () => {
  await open({ picture: false, prepare: () => { fakeSink.unreachable = true; } });
  await page.locator('#cover-title', { hasText: 'Server not reachable' }).waitFor();
  assert.match(await page.textContent('#cover-text'), /Trying again/);
  await page.waitForFunction(() => fakeSink.requests.length >= 3);
  await page.evaluate(() => { fakeSink.unreachable = false; });
  await page.waitForFunction(() => reactor.frames.displayed.length > 3);
  assert.match(await status(), /Live/);
});

test('a lost connection is made again, the last frame stays meanwhile', async () => {
  await open();
  await page.evaluate(() => { fakeSink.unreachable = true; fakeSink.drop(); });
  await page.locator('#notice', { hasText: /Connection lost|not reachable/ }).waitFor();
  assert.equal(await covered(), false);
  // Figures of a server that is not heard are not shown as if they were news.
  await page.waitForFunction(() => document.querySelector('#m-queue dd').textContent === '–' && !/model/.test(document.getElementById('m-fps').textContent));
  await page.evaluate(() => { fakeSink.unreachable = false; });
  await page.waitForFunction(() => reactor.connection.state === 'connected' && reactor.frames.displayed.length > 3);
});

test('the token goes from the fragment into the Authorization header and nowhere else', async () => {
  await open({ hash: '#token=s3cret%2B', picture: false });
  await page.waitForFunction(() => fakeSink.requests.length > 0);
  let requests = await page.evaluate(() => fakeSink.requests);
  assert.equal(requests[0].headers.Authorization, 'Bearer s3cret+');
  assert.ok(requests.every((request) => !request.url.includes('s3cret')));
  await page.context().close();

  await open({ picture: false, prepare: () => { fakeSink.refusal = { status: 401, body: { error: { code: 'unauthorized', message: 'a token is needed' } } }; } });
  await page.locator('#cover-title', { hasText: 'A token is needed' }).waitFor();
  await sleep(1000);
  assert.equal(await page.evaluate(() => fakeSink.requests.length), 1, 'a refusal is not repeated');
  await page.evaluate(() => { fakeSink.refusal = null; });
  await page.fill('#token', 'right');
  await page.press('#token', 'Enter');
  await page.waitForFunction(() => reactor.frames.displayed.length > 3);
  requests = await page.evaluate(() => fakeSink.requests);
  assert.equal(requests[1].headers.Authorization, 'Bearer right');
});

test('a refusal is shown in the words of the server', async () => {
  const words = 'the offer has no codec that this stream has: offered H264, sent VP8';
  await open({ picture: false, prepare: `fakeSink.refusal = { status: 406, body: { error: { code: 'no-common-codec', message: ${JSON.stringify(words)} } } };` });
  await page.locator('#cover-text', { hasText: words }).waitFor();
});

test('a page that goes away says so', async () => {
  await open();
  await page.evaluate(() => dispatchEvent(new Event('pagehide')));
  const requests = await page.evaluate(() => fakeSink.requests);
  assert.equal(requests.at(-1).method, 'DELETE');
  assert.match(requests.at(-1).url, /\/whep\/fake$/);
});

test('controls come from the capabilities and send what their schema says', async () => {
  await open();
  const last = () => page.evaluate(() => fakeSink.received.filter((m) => m.scope === 'application').at(-1)?.data);
  const sends = async (action, expected) => {
    await page.evaluate(() => { fakeSink.received = []; });
    await action();
    await page.waitForFunction(() => fakeSink.received.some((m) => m.scope === 'application'));
    assert.deepEqual(await last(), expected);
  };
  await sends(() => page.getByRole('button', { name: 'Pause', exact: true }).click(), { type: 'pause', data: {} });
  await sends(() => page.getByLabel('Set scene').selectOption('Waves'), { type: 'set_scene', data: { scene: 'waves' } });
  await sends(() => page.getByLabel('Set block size').selectOption('4'), { type: 'set_block_size', data: { frames: 4 } });
  await sends(async () => {
    await page.getByLabel('Set prompt').fill('a red barn');
    await page.getByLabel('Set prompt').press('Enter');
  }, { type: 'set_prompt', data: { text: 'a red barn' } });
  await sends(() => page.getByLabel('Set speed').press('End'), { type: 'set_speed', data: { speed: 4 } });

  await page.evaluate(() => { fakeSink.received = []; });
  const took = await page.evaluate(async () => {
    const start = performance.now();
    const slider = document.querySelector('[data-command=set_speed] input');
    for (let i = 0; i < 200; i += 1) {
      slider.value = String((i % 40) / 10);
      slider.dispatchEvent(new Event('input'));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return performance.now() - start;
  });
  await sleep(200);
  const flood = await page.evaluate(() => fakeSink.received.filter((m) => m.scope === 'application').map((m) => m.data.data.speed));
  assert.ok(flood.length <= took / 50 + 2 && flood.length < 100, `${flood.length} of 200 values were sent in ${took} ms`);
  assert.equal(flood.at(-1), 3.9, 'the last value is sent');

  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea')]
    .filter((node) => node.checkVisibility() && !(node.textContent.trim() || node.getAttribute('aria-label') || node.labels?.length))
    .map((node) => node.outerHTML));
  assert.deepEqual(nameless, [], 'every control has a name');
});

test('the console sends JSON and says what is wrong with what is none', async () => {
  await open();
  const type = async (text) => {
    await page.fill('#console-input', text);
    await page.press('#console-input', 'Enter');
  };
  await type('{"type": "set_scene", "data": {"scene": "grid"}}');
  await page.waitForFunction(() => fakeSink.received.some((m) => m.data.type === 'set_scene' && m.data.data.scene === 'grid'));
  await page.locator('#log .out', { hasText: 'grid' }).waitFor();
  await type('set_scene {"scene": "waves"}');
  await page.waitForFunction(() => fakeSink.received.some((m) => m.data.data.scene === 'waves'));
  await page.press('#console-input', 'ArrowUp');
  assert.match(await page.inputValue('#console-input'), /waves/);

  for (const [text, complaint] of [
    ['{"type": "x", "data": {', /Not valid JSON/],
    ['[1, 2]', /object with a "type"/],
    ['{"data": 1}', /object with a "type"/],
    [`{"type": "x", "data": {"a": "${'€'.repeat(22000)}"}}`, /Too large: 660\d\d bytes, at most 65536/],
  ]) {
    const sent = () => page.evaluate(() => fakeSink.received.filter((m) => m.scope === 'application').length);
    const count = await sent();
    await type(text);
    assert.match(await page.textContent('#console-hint'), complaint);
    assert.equal(await sent(), count, 'nothing is sent');
  }
  await page.evaluate(() => fakeSink.send({ progress: 0.5, note: '<b>not markup</b>' }));
  await page.locator('#log .in', { hasText: '<b>not markup</b>' }).waitFor();
  await page.evaluate(() => fakeSink.say('error', { code: 'field', message: 'speed: expected a number, got "fast"' }));
  await page.locator('#log .error', { hasText: 'expected a number' }).waitFor();
});

test('a viewer that may only watch cannot command', async () => {
  await open({ prepare: () => { fakeSink.state = { ...fakeSink.state, role: 'view' }; } });
  await page.waitForFunction(() => document.getElementById('send').disabled);
  assert.equal(await page.getByRole('button', { name: 'Pause', exact: true }).isDisabled(), true);
});

test('input to displayed frame is measured from the input to the frame that answers it', async () => {
  await open();
  for (let i = 0; i < 4; i += 1) {
    await page.getByRole('button', { name: 'Reset' }).click();
    await sleep(350);
  }
  await page.waitForFunction(() => reactor.reactivity.summary().count >= 3, null, { timeout: 6000 });
  const { p50, p95, blockSize } = await page.evaluate(() => reactor.reactivity.summary());
  assert.equal(blockSize, 12);
  // An input waits for the block after the next arrival (up to 0.58 s, plus one period) and the pacing on top.
  assert.ok(p50 > 100 && p95 < 3500, `p50 ${p50} ms, p95 ${p95} ms`);
  assert.match(await page.textContent('#m-react'), /blocks of 12/);
});

test('the page fits a phone, and calms down for people who ask for it', async () => {
  await open({ width: 360, height: 740, reducedMotion: 'reduce' });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} px wider than the screen`);
  const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((node) => getComputedStyle(node).animationName !== 'none').length);
  assert.equal(moving, 0);
  const box = await page.locator('#video').boundingBox();
  assert.ok(box.width >= 340 && box.height > 180, JSON.stringify(box));
});

test('no figure is cut off on a small desktop', async () => {
  await open({ width: 1280, height: 800 });
  const cut = await page.evaluate(() => {
    const widest = {
      'm-fps': ['24.9 fps', 'model 24.9'], 'm-even': ['66.7 ms', 'p95 150 · 22 % late'], 'm-hold': ['20.8 s', 'holding'],
      'm-queue': ['128', '2.88 s'], 'm-latency': ['1.50 s', 'p95 2.73 s'], 'm-bitrate': ['14.3 Mbit/s', 'buffer 129 ms'],
      'm-loss': ['0.5 %', 'RTT 45.0 ms'], 'm-react': ['842 ms', 'p95 1.05 s · blocks of 12'],
    };
    return Object.entries(widest).flatMap(([id, values]) => {
      const cells = [...document.getElementById(id).children];
      cells.slice(1).forEach((cell, i) => { cell.textContent = values[i]; });
      const width = (cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return range.getBoundingClientRect().width;
      };
      return cells.filter((cell) => width(cell) > cell.clientWidth).map((cell) => `${cell.textContent}: ${width(cell)} of ${cell.clientWidth} px`);
    });
  });
  assert.deepEqual(cut, []);
});

test('on a phone a notice is a line or two over the picture', async () => {
  await open({ width: 390, height: 844 });
  await page.evaluate(() => { fakeSink.hold = true; fakeSink.say('state', { state: 'paused', reason: '' }); });
  await page.locator('#notice', { hasText: 'Paused by the model' }).waitFor();
  const [notice, stage] = [await page.locator('#notice').boundingBox(), await page.locator('#stage').boundingBox()];
  assert.ok(notice.height < stage.height / 3 && notice.y > stage.y && notice.x >= 0 && notice.x + notice.width <= 390, JSON.stringify({ notice, stage }));
});

test('names of events in the chart do not cover each other', async () => {
  await open({
    prepare: () => {
      const draw = CanvasRenderingContext2D.prototype.fillText;
      globalThis.texts = [];
      CanvasRenderingContext2D.prototype.fillText = function fillText(text, x, y) {
        if (text === 'Blocks in') texts = [];  // what is drawn first
        if (this.textAlign === 'start') texts.push({ text, x, y, end: x + this.measureText(text).width });
        draw.call(this, text, x, y);
      };
    },
  });
  await page.evaluate(() => { for (const state of ['paused', 'model-gone', 'restarting']) fakeSink.say('state', { state, reason: '' }); });
  await page.waitForFunction(() => texts.some(({ text }) => /restart/i.test(text)));
  const texts = await page.evaluate(() => globalThis.texts);
  const covering = texts.filter((one) => texts.some((other) => other !== one && other.y === one.y && other.x >= one.x && other.x < one.end));
  assert.deepEqual(covering, []);
});
