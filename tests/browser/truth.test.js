// SPDX-License-Identifier: LGPL-2.1-or-later
// Viewers know the truth: a model that crashes, a session that is stopped, a server that ends. Each is said over the held
// picture, and none is taken for another.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, model, sleep, together } from './harness.js';
import { brief, command, openPage, watch } from './watch.js';

let chromium;
let child;
let page;

before(async () => {
  ({ child, chromium } = await together({ child: model('tests/browser/model.py:Numbered'), chromium: browser() }));
  page = await openPage(chromium, child);
  await page.waitForFunction(() => probe.frames.filter((frame) => frame.number !== null).length > 20);
});
after(async () => {
  await chromium?.close();
  await child?.stop();
});

test('a model that crashes leaves its last frame, and the page says that it is started again', async () => {
  const epoch = await page.evaluate(() => reactor.connection.epoch);
  const crashed = Date.now();
  await page.evaluate(() => reactor.send('die'));
  await page.locator('#notice', { hasText: /gone|restart/i }).waitFor({ timeout: 3000 });
  console.log(`  said ${Date.now() - crashed} ms after the crash: ${await page.textContent('#notice')}`);
  assert.equal(await page.evaluate(() => document.getElementById('stage').dataset.cover), 'off', 'the picture stays');
  const last = await page.evaluate(() => probe.now().number);
  assert.notEqual(last, null, 'the last frame is held');
  // The new process counts from 0 again.
  await page.waitForFunction((number) => { const now = probe.now().number; return now !== null && now < number; }, Math.max(last, 24), { timeout: 12000 });
  await page.waitForFunction(() => document.getElementById('notice').hidden, null, { timeout: 3000 });
  assert.equal(await page.evaluate(() => reactor.connection.epoch), epoch, 'the connection is the same');
});

test('a session that the model ends is over for its viewers, with the reason, and the next one shows nothing of it', async () => {
  await command(page, 'paint', { colour: 'red' });
  await page.waitForFunction(() => probe.now().mean[0] > 150, null, { timeout: 5000 });
  const start = Date.now();
  await command(page, 'over');
  await page.locator('#cover-title', { hasText: 'Session over' }).waitFor({ timeout: 3000 });
  const took = Date.now() - start;
  console.log(`  over after ${took} ms: ${await page.textContent('#cover-text')}`);
  assert.ok(took < 2000, `${took} ms`);
  assert.match(await page.textContent('#cover-text'), /the film has ended/);
  assert.equal(await page.evaluate(() => reactor.connection.pc), null, 'the connection is closed');
  await page.evaluate(() => { probe.frames.length = 0; });
  await page.click('#cover-action');
  await page.waitForFunction(() => probe.frames.filter((frame) => frame.number !== null).length > 5, null, { timeout: 8000 });
  const red = await page.evaluate(() => probe.frames.filter((frame) => frame.mean[0] > 120 && frame.mean[1] < 90).length);
  assert.equal(red, 0, 'no frame of the former session');
});

test('a server that ends says so; when it is back the page is too', async () => {
  await watch(page, 300);
  await child.stop();
  await page.locator('#cover-title', { hasText: /Session over|not reachable|lost/ }).waitFor({ timeout: 8000 });
  const title = await page.textContent('#cover-title');
  assert.equal(await page.evaluate(() => reactor.connection.canSend), false);
  child = await model('tests/browser/model.py:Numbered', { port: child.port });
  if (/over/.test(title)) await page.click('#cover-action');
  await page.evaluate(() => { probe.frames.length = 0; });
  await page.waitForFunction(() => probe.frames.filter((frame) => frame.number !== null).length > 5, null, { timeout: 15000 });
  await sleep(100);
  const faults = page.faults.filter((fault) => !/Failed to load resource|ERR_CONNECTION/.test(fault));
  assert.deepEqual(faults, [], brief(faults));
});
