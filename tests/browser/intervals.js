// SPDX-License-Identifier: LGPL-2.1-or-later
// Figures, never a verdict: when Chromium displays the frames of three simulated models that come through reactorpace, as they
// arrive, and as they arrive under even time stamps. Prints the Markdown table of docs/comparison.md.
//
// The models are reactorsim's, 640x352 at 24 frames a second. Its frames have one time stamp a block, the time at which it was
// finished, and the sink takes them so. `identity datarate` counts bytes instead: each frame is stamped 1/24 s after the one before.
//
// A frame counts as displayed where requestVideoFrameCallback tells of it: of frames that come between two refreshes it
// tells of the last, which is the one on screen. On a busy machine the callback itself may be missed; the last column says how
// many frames the browser presented by its own count, seen or not.
//
//   intervals.js [PART OF A ROW'S NAME]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { browser, pipeline, quantile, sleep } from './harness.js';

const SECONDS = Number(process.env.REACTOR_BENCH_SECONDS ?? 12);
const SETTLE_MS = 4000;  // the pacer knows the model by then, and the browser its jitter
const [WIDTH, HEIGHT] = [640, 352];
const folder = mkdtempSync(path.join(tmpdir(), 'reactor-intervals-'));
process.setMaxListeners(20);  // the harness has one for each process that it starts
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** A trace of 8-frame blocks whose rate swings between 18 and 30 frames a second every 8 s, each block ± 10 %. */
function drifting() {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const lines = ['# reactor-trace 1'];
  let time = 0;
  for (let block = 0; block < 200; block += 1) {
    const rate = 24 + 6 * Math.sin((2 * Math.PI * time) / 8);
    time += (8 / rate) * (0.9 + 0.2 * random());
    lines.push(`${time.toFixed(9)},arrival,${block},8,1`);
  }
  const file = path.join(folder, 'drifting.trace');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

const MODELS = [
  ['12 every 0.5 s ± 15 %', 12, 'block-size=12 jitter=0.15 seed=5'],
  ['4 every 0.17 s ± 15 %, every 15th 0.4 s later', 4, 'block-size=4 jitter=0.15 hitch-every=15 hitch-length=400000000 seed=5'],
  ['8, rate drifting from 18 to 30 and back every 8 s, ± 10 %', 8, `block-size=8 trace-location=${drifting()}`],
];
const WAYS = [
  // Without repeats of a held picture: they are no frames of the model's.
  ['`reactorpace`', 'reactorpace hold-framerate=0/1'],
  ['nothing: as they arrive', 'queue'],
  ['nothing, stamped every 1/24 s', `identity datarate=${WIDTH * HEIGHT * 3 * 24} ! queue`],
];

/** What the page saw: the callbacks and the blocks that the sink told of, over whole blocks. */
async function measure(chromium, child) {
  const page = await chromium.page({ width: 960, height: 540 });
  try {
    await page.goto(child.url);
    await page.waitForFunction(() => document.getElementById('video').videoWidth > 0, null, { timeout: 15000, polling: 50 });
    await page.evaluate(() => {
      for (const id of ['timing', 'side']) document.getElementById(id).hidden = true;  // drawing costs callbacks
      globalThis.seen = [];
      const video = document.getElementById('video');
      const next = (now, { expectedDisplayTime: time, rtpTimestamp: rtp, presentedFrames: presented }) => {
        video.requestVideoFrameCallback(next);
        seen.push({ time, rtp, presented });
      };
      video.requestVideoFrameCallback(next);
    });
    await sleep(SETTLE_MS);
    const from = await page.evaluate(() => performance.now());
    await sleep(SECONDS * 1000);
    return await page.evaluate((start) => ({
      seen: seen.filter((frame) => frame.time >= start - 2000),
      blocks: reactor.frames.blocks.filter((block) => block.arrived >= start).map(({ block, rtp, arrived }) => ({ block, rtp, arrived })),
    }), from);
  } finally {
    await page.context().close();
  }
}

function row({ seen, blocks }, size) {
  // The last block may not have been displayed whole.
  const [first, last] = [blocks[0], blocks.at(-2)];
  const frames = seen.filter(({ rtp }) => ((rtp - first.rtp) | 0) >= 0 && ((rtp - last.rtp) | 0) < 0);
  const emitted = (last.block - first.block) * size;
  const arrived = (last.arrived - first.arrived) / 1000;
  const intervals = frames.slice(1).map(({ time }, i) => time - frames[i].time);
  const mean = intervals.reduce((sum, value) => sum + value, 0) / intervals.length;
  const deviation = Math.sqrt(intervals.reduce((sum, value) => sum + (value - mean) ** 2, 0) / intervals.length);
  const median = quantile(intervals, 0.5);
  // A refresh at 60 Hz shows even 41.7 ms as 33 and 50: neither alone is the measure of a stutter.
  const late = intervals.filter((value) => value > 1.5 * Math.max(median, 1000 * arrived / emitted) + 1).length / intervals.length;
  const presented = frames.at(-1).presented - frames[0].presented + 1;
  const share = (part, whole) => `${Math.round((100 * part) / whole)} %`;
  return [(emitted / arrived).toFixed(1), (frames.length / arrived).toFixed(1), median.toFixed(0), quantile(intervals, 0.95).toFixed(0),
    Math.max(...intervals).toFixed(0), deviation.toFixed(0), share(late, 1), share(frames.length, emitted), share(presented, emitted)];
}

const wanted = process.argv[2] ?? '';
const rows = [];
const chromium = await browser();
try {
  for (const [name, size, properties] of MODELS) {
    for (const [way, elements] of WAYS) {
      if (!`${name} ${way}`.includes(wanted)) continue;
      const child = await pipeline(`videotestsrc pattern=ball ! video/x-raw,format=RGB,width=${WIDTH},height=${HEIGHT},`
        + `framerate=24/1 ! reactorsim ${properties} ! ${elements} ! reactorwebrtcsink port=PORT`);
      try {
        rows.push([name, way, ...row(await measure(chromium, child), size)]);
      } finally {
        await child.stop();
      }
    }
  }
} finally {
  await chromium.close();
}

console.log(`load of the machine over the last minute: ${loadavg()[0].toFixed(1)}\n`);
console.log('| frames a block | through | emitted a second | displayed a second | interval p50 ms | p95 | max | sd '
  + '| over 1.5 x median | displayed of emitted | presented |');
console.log(`|${' --- |'.repeat(11)}`);
for (const cells of rows) console.log(`| ${cells.join(' | ')} |`);
process.exit(0);
