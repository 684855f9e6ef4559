// SPDX-License-Identifier: LGPL-2.1-or-later
// Figures, never a verdict: what Chromium's jitter buffer adds to the way of a frame, over ten minutes. Prints a Markdown
// table.
//
// The model is reactorsim's: 4-frame blocks with ± 10 %; 24 frames a second, then 12 and 30 by turns, changing every minute, and
// 50 s into each minute nothing for 2 s, announced by nobody. A receiver that trusts the past would go on waiting for the
// stalls, and its delay would climb from minute to minute. Each row is the minute before its stall, less the first 20 s.
//
// REACTOR_BENCH_MINUTES: how many (10).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { browser, pipeline, sleep } from './harness.js';

const MINUTES = Number(process.env.REACTOR_BENCH_MINUTES ?? 10);
const [MINUTE, SETTLED, STALL_AT, STALL, SIZE] = [60, 20, 50, 2, 4];  // s; frames
const folder = mkdtempSync(path.join(tmpdir(), 'reactor-delay-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const fps = (minute) => (minute === 0 ? 24 : [30, 12][minute % 2]);

function trace() {
  let seed = 11;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const lines = ['# reactor-trace 1'];
  let [time, stalls] = [0, 0];
  for (let block = 0; time < (MINUTES + 1) * MINUTE; block += 1) {
    time += (SIZE / fps(Math.floor(time / MINUTE))) * (0.9 + 0.2 * random());
    if (time > stalls * MINUTE + STALL_AT) {
      time += STALL;
      stalls += 1;
    }
    lines.push(`${time.toFixed(9)},arrival,${block},${SIZE},1`);
  }
  const file = path.join(folder, 'delay.trace');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

/** What was received so far: sums of delays in s, and counts. */
const received = (page) => page.evaluate(async () => {
  let found = null;
  for (const entry of (await reactor.connection.pc.getStats()).values()) {
    if (entry.type === 'inbound-rtp' && entry.kind === 'video') found = entry;
  }
  return found && {
    time: found.timestamp / 1000, delay: found.jitterBufferDelay, target: found.jitterBufferTargetDelay ?? NaN,
    least: found.jitterBufferMinimumDelay ?? NaN, frames: found.jitterBufferEmittedCount, lost: found.packetsLost,
    freezes: found.freezeCount,
  };
});

const chromium = await browser();
const child = await pipeline('videotestsrc pattern=ball ! video/x-raw,format=RGB,width=640,height=352,framerate=30/1 ! '
  + `reactorsim trace-location=${trace()} ! reactorpace hold-framerate=0/1 ! reactorwebrtcsink port=PORT`);
console.log('| minute | frames a second | received a second | delay ms | target ms | least ms | freezes |');
console.log(`|${' --- |'.repeat(7)}`);
try {
  const begin = Date.now();
  const page = await chromium.page({ width: 960, height: 540 });
  await page.goto(child.url);
  await page.waitForFunction(() => document.getElementById('video').videoWidth > 0, null, { timeout: 15000, polling: 50 });
  await page.evaluate(() => { for (const id of ['timing', 'side']) document.getElementById(id).hidden = true; });  // drawing costs time
  for (let minute = 0; minute < MINUTES; minute += 1) {
    const at = (seconds) => sleep(begin + (minute * MINUTE + seconds) * 1000 - Date.now());
    await at(SETTLED);
    const from = await received(page);
    await at(STALL_AT - 3);  // the page was opened after the model began
    const to = await received(page);
    const frames = to.frames - from.frames;
    const ms = (key) => ((1000 * (to[key] - from[key])) / frames).toFixed(1);
    console.log(`| ${[minute + 1, fps(minute), (frames / (to.time - from.time)).toFixed(1), ms('delay'), ms('target'), ms('least'),
      to.freezes - from.freezes].join(' | ')} |`);
  }
} finally {
  await chromium.close();
  await child.stop();
}
console.log(`\nload of the machine over the last minute: ${loadavg()[0].toFixed(1)}`);
process.exit(0);
