// SPDX-License-Identifier: LGPL-2.1-or-later
// Figures, never a verdict: what a viewer in Chromium waits for, at 1280x704 and 24 frames a second.
//
//   first frame    from opening the page (navigation start) to the first displayed frame
//   emit→displayed of each block's first frame, split into its wait for its turn in the pacer and the machinery behind it
//   input→displayed the first frame that answers a command
//
// The first row has no pacer: one frame a block, what the machinery alone costs. Times are those of the page's own clock;
// running time is laid on it by the fastest data-channel message (frames.js), which errs by that message's way, below 1 ms here.
import { browser, model, quantile, sleep } from './harness.js';
import { openPage } from './watch.js';

const SECONDS = Number(process.env.REACTOR_BENCH_SECONDS ?? 14);
const LOADS = 5;

const chromium = await browser();
const rows = [];
let loads = [];
try {
  for (const [name, frames, elements] of [
    ['1, no pacer', 1, 'reactorsrc ! reactorwebrtcsink'],
    ['1', 1, 'reactorsrc ! reactorpace ! reactorwebrtcsink'],
    ['4', 4, 'reactorsrc ! reactorpace ! reactorwebrtcsink'],
    ['12', 12, 'reactorsrc ! reactorpace ! reactorwebrtcsink'],
  ]) {
    const child = await model('tests/browser/model.py:Numbered', {
      args: ['--pipeline', elements, '--set', `frames=${frames}`, '--set', `period=${frames / 24}`, '--set', 'jitter=0.1'],
    });
    try {
      if (frames === 12) {
        for (let i = 0; i < LOADS; i += 1) {
          const page = await openPage(chromium, child);
          loads.push(await page.evaluate(() => reactor.frames.first));
          await page.context().close();
        }
      }
      const page = await openPage(chromium, child);
      await sleep(3000);
      await page.evaluate(() => {
        globalThis.waits = [];
        reactor.onFrame((frame) => {
          const block = reactor.frames.blockOf(frame.rtp);
          if (block && block.shown === 1 && !block.black) waits.push({ turn: block.released - block.arrived, machinery: frame.time - block.released });
        });
      });
      const end = Date.now() + SECONDS * 1000;
      for (let i = 0; Date.now() < end; i += 1) {
        await page.evaluate((colour) => reactor.send('paint', { colour }), ['red', 'green', 'blue', 'grey'][i % 4]);
        await sleep(350 + (i * 137) % 300);  // not in step with the blocks
      }
      await sleep(1500);
      const { waits, react } = await page.evaluate(() => ({ waits, react: reactor.reactivity.summary() }));
      const p = (values) => `${quantile(values, 0.5).toFixed(0)} / ${quantile(values, 0.95).toFixed(0)}`;
      rows.push([name, p(waits.map((w) => w.turn + w.machinery)), p(waits.map((w) => w.turn)), p(waits.map((w) => w.machinery)),
        `${react.p50.toFixed(0)} / ${react.p95.toFixed(0)}`, String(react.count)]);
      await page.context().close();
    } finally {
      await child.stop();
    }
  }
} finally {
  await chromium.close();
}

loads = loads.sort((a, b) => a - b);
console.log(`first frame after opening the page: median ${quantile(loads, 0.5).toFixed(0)} ms, slowest of ${LOADS} ${loads.at(-1).toFixed(0)} ms\n`);
console.log('all others p50 / p95 in ms');
console.log('| frames a block | emit → displayed | wait for its turn | machinery | input → displayed | inputs |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const row of rows) console.log(`| ${row.join(' | ')} |`);
process.exit(0);
