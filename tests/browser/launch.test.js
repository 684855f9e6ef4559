// SPDX-License-Identifier: LGPL-2.1-or-later
// A pipeline under plain gst-launch, without Python: any video made into blocks and paced again; and who may watch and command it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, pipeline, sleep } from './harness.js';
import { brief, command, judge, openPage, watch } from './watch.js';

const VIDEO = 'videotestsrc is-live=true pattern=ball ! video/x-raw,format=RGB,width=1280,height=704,framerate=16/1';

let chromium;
before(async () => { chromium = await browser(); });
after(async () => { await chromium?.close(); });

test('a video made into blocks is displayed as evenly as it was', async () => {
  const child = await pipeline(`${VIDEO} ! reactorsim block-size=12 ! reactorpace ! reactorwebrtcsink port=PORT`);
  try {
    const page = await openPage(chromium, child);
    await sleep(4000);
    const frames = await watch(page, 4000);
    const intervals = judge(frames.map((frame, i) => ({ ...frame, number: i })));
    console.log(`  16 fps in blocks of 12: ${brief(intervals)}`);
    assert.ok(intervals.frames > 40 && intervals.mean > 55 && intervals.mean < 72, brief(intervals));
    assert.ok(intervals.rtp.p95 < 1.4 * intervals.rtp.p50, brief(intervals.rtp));
    assert.deepEqual(page.faults, []);
    await page.context().close();
  } finally {
    await child.stop();
  }
});

test('with tokens: none is asked for one, the right one sees and commands, the viewing one only sees', async () => {
  const child = await pipeline(`${VIDEO} ! reactorpace ! reactorwebrtcsink port=PORT auth-token=all-of-it view-token=only-eyes`);
  try {
    const shut = await openPage(chromium, child, { waitForPicture: false });
    await shut.locator('#cover-title', { hasText: 'A token is needed' }).waitFor();
    await shut.fill('#token', 'wrong');
    await shut.press('#token', 'Enter');
    await shut.locator('#cover-title', { hasText: 'not valid' }).waitFor();
    await shut.fill('#token', 'all-of-it');
    await shut.press('#token', 'Enter');
    await shut.waitForFunction(() => probe.frames.length > 3);
    assert.equal((await command(shut, 'anything')).type, 'accepted');
    await shut.context().close();

    const eyes = await openPage(chromium, child, { hash: '#token=only-eyes' });
    await eyes.waitForFunction(() => document.getElementById('send').disabled);
    assert.equal((await command(eyes, 'anything')).type, 'error');
    await eyes.context().close();
  } finally {
    await child.stop();
  }
});
