// SPDX-License-Identifier: LGPL-2.1-or-later
// A model that is killed again and again at any moment, with a viewer watching: the last complete block's last frame holds,
// the next model goes on in the same session and connection, and the pipeline's process keeps nothing of the dead.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { browser, pipeline, Process, PYTHON, sleep, stats, together, until } from './harness.js';
import { openPage } from './watch.js';

const KILLS = 10;
const BLOCK = 12;
const folder = mkdtempSync(path.join(tmpdir(), 'reactor-killed-'));
const socket = path.join(folder, 'model.sock');

let chromium;
let child;
let page;
let model;

before(async () => {
  ({ child, chromium } = await together({
    child: pipeline(`reactorsrc socket-path=${socket} ! reactorpace ! reactorwebrtcsink port=PORT`), chromium: browser(),
  }));
});
after(async () => {
  await model?.stop();
  await chromium?.close();
  await child?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start = () => new Process(PYTHON, ['-u', '-m', 'gst_reactor.host', 'tests/browser/model.py:Numbered', '--socket', socket]);
const number = () => page.evaluate(() => probe.now().number);
/** What the pipeline's process holds: descriptors, and mappings of models' memory. */
function held() {
  const { pid } = child.child;
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mappings: readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter((line) => line.includes('memfd:')).length,
  };
}

test('ten models are killed in mid-block and each one\'s successor goes on', async () => {
  let before;
  let session;
  let connection;
  for (let life = 0; life <= KILLS; life += 1) {
    model = start();
    if (life === 0) page = await openPage(chromium, child);
    const lastShown = life === 0 ? -1 : await number();
    // A new process counts from 0.
    await until('frames of this model', async () => { const now = await number(); return now !== null && (life === 0 || now < lastShown); }, { timeout: 15000 });
    await sleep(1500 + 900 * Math.random());  // some blocks, and any moment of the next
    if (life === 0) {
      session = (await stats(child)).session.id;
      connection = await page.evaluate(() => reactor.connection.epoch);
      // More than the held frame's block: it lives in the model's memory as long as it is shown.
      before = held();
    }
    if (life === KILLS) break;
    model.kill('SIGKILL');
    await model.ended;
    let last = await number();
    await until('the picture to hold', async () => { await sleep(500); const now = await number(); const same = now === last; last = now; return same; }, { timeout: 8000 });
    assert.equal(last % BLOCK, BLOCK - 1, `frame ${last} is held, the last of a complete block was expected`);
    assert.equal(held().mappings, 0, 'the memory of a dead model is still mapped');
  }
  const report = await stats(child);
  assert.equal(report.session.id, session, 'the session went on');
  assert.equal(await page.evaluate(() => reactor.connection.epoch), connection, 'the connection went on');
  const { fps } = report.pacing;
  console.log(`  ${KILLS} kills: ${fps.toFixed(1)} fps measured of 24; before ${JSON.stringify(before)}, after ${JSON.stringify(held())}`);
  assert.ok(fps > 20 && fps < 28, `${fps} fps measured, 24 expected`);
  const now = held();
  assert.ok(now.descriptors <= before.descriptors + 1, `${now.descriptors} descriptors, ${before.descriptors} before`);
  assert.ok(now.mappings <= before.mappings, `${now.mappings} mappings, ${before.mappings} before`);
  assert.ok(child.running);
});
