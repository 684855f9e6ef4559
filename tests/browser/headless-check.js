// SPDX-License-Identifier: LGPL-2.1-or-later
// Looks at a running page as a person would: opens it, waits for the picture, and judges how evenly frames are displayed.
//   node headless-check.js URL [SCREENSHOT.png]
// Exit status 0 when the video is smooth, 1 when it is not or never comes, with the figures or the reason.
import { browser, quantile, until } from './harness.js';

const WATCHED_S = 6;        // long enough for ten blocks of half a second
const SETTLE_S = 3;         // the rate is being measured and the browser's jitter buffer settles
const LEAST_FPS = 8;        // slower than any model worth showing
const LONG = 1.5;           // an interval this many medians long is a visible irregularity
const LONG_SHARE = 0.15;    // a noisy machine of two cores has a few; a stream of bursts has most

const [url, screenshot] = process.argv.slice(2);
if (!url) {
  console.error('usage: node headless-check.js URL [SCREENSHOT.png]');
  process.exit(2);
}

const chromium = await browser();
let problem;
try {
  const page = await chromium.page();
  await page.goto(url);
  const opened = Date.now();
  await until('the first frame', () => page.evaluate(() => {
    const video = document.querySelector('video');
    return video && video.videoWidth > 0 && video.currentTime > 0;
  }), { timeout: 20000 });
  console.log(`first frame ${((Date.now() - opened) / 1000).toFixed(2)} s after the page was opened`);
  await new Promise((resolve) => { setTimeout(resolve, SETTLE_S * 1000); });
  const { times, width, height } = await page.evaluate((seconds) => new Promise((resolve) => {
    const video = document.querySelector('video');
    const shown = [];
    const end = performance.now() + seconds * 1000;
    const finish = () => resolve({ times: shown, width: video.videoWidth, height: video.videoHeight });
    setTimeout(finish, seconds * 1000 + 1000);
    const next = (now, { expectedDisplayTime }) => {
      shown.push(expectedDisplayTime);
      if (now < end) video.requestVideoFrameCallback(next);
      else finish();
    };
    video.requestVideoFrameCallback(next);
  }), WATCHED_S);
  if (screenshot) await page.screenshot({ path: screenshot });
  const intervals = times.slice(1).map((time, i) => time - times[i]);
  const median = quantile(intervals, 0.5);
  const long = intervals.filter((interval) => interval > LONG * median).length / intervals.length;
  console.log(`${width}x${height}, ${times.length} frames in ${WATCHED_S} s; interval p50 ${median.toFixed(1)} ms, `
    + `p95 ${quantile(intervals, 0.95).toFixed(1)} ms, max ${Math.max(...intervals).toFixed(1)} ms, `
    + `${(100 * long).toFixed(1)} % above ${LONG} x p50`);
  if (times.length < LEAST_FPS * WATCHED_S) problem = `only ${times.length} frames in ${WATCHED_S} s`;
  else if (long > LONG_SHARE) problem = `${(100 * long).toFixed(1)} % of the intervals are above ${LONG} x the median, at most ${100 * LONG_SHARE} % expected`;
  else if (page.faults.length > 0) problem = `the page reported errors: ${page.faults.join('; ')}`;
} catch (error) {
  problem = error.message;
} finally {
  await chromium.close();
}
if (problem) console.error(`not smooth: ${problem}`);
process.exit(problem ? 1 : 0);
