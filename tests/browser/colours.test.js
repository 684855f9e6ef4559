// SPDX-License-Identifier: LGPL-2.1-or-later
// The picture has the model's colours: flat tiles at several sizes, with every codec, read back from a canvas in Chromium.
// Sizes change within one stream, as a model may change them between blocks; odd ones show whole.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, model, sleep } from './harness.js';
import { brief, command, openPage } from './watch.js';

const TOLERANCE = 5;  // levels of 255
const SIZES = [[640, 352], [1280, 704], [1920, 1080], [1279, 703]];
const PALETTE = [
  [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [255, 255, 255], [0, 0, 0],
  [32, 32, 32], [80, 80, 80], [128, 128, 128], [180, 180, 180], [224, 224, 224], [224, 172, 145], [60, 90, 30], [128, 0, 64],
];
const COLUMNS = 4;

let chromium;
before(async () => { chromium = await browser(); });
after(async () => { await chromium?.close(); });

/** The mean colour in the middle of each tile, and of the last full row and column. */
function readBack(columns, rows) {
  const video = document.getElementById('video');
  const { videoWidth: width, videoHeight: height } = video;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { alpha: false });
  context.drawImage(video, 0, 0);
  const mean = (x, y, w, h) => {
    const { data } = context.getImageData(x, y, w, h);
    return [0, 1, 2].map((c) => {
      let sum = 0;
      for (let i = c; i < data.length; i += 4) sum += data[i];
      return Math.round((4 * sum) / data.length);
    });
  };
  const tiles = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      tiles.push(mean(Math.floor((width * (column + 0.5)) / columns) - 16, Math.floor((height * (row + 0.5)) / rows) - 16, 32, 32));
    }
  }
  const edge = { right: mean(width - 1, Math.floor(height / 8) - 16, 1, 32), bottom: mean(Math.floor(width / 8) - 16, height - 1, 32, 1) };
  return { width, height, tiles, edge };
}

const distance = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

for (const codec of ['vp8', 'vp9', 'h264']) {
  test(`${codec} shows the colours that the model emitted`, async () => {
    const child = await model('tests/browser/model.py:Numbered', {
      args: ['--pipeline', `reactorsrc ! reactorpace ! reactorwebrtcsink codec=${codec} bitrate=6000000`, '--set', 'palette=true', '--set', 'frames=1', '--set', 'period=0.125',
        '--set', 'width=640', '--set', 'height=352'],
    });
    try {
      const page = await openPage(chromium, child);
      const rows = PALETTE.length / COLUMNS;
      for (const [width, height] of SIZES) {
        await command(page, 'resize', { width, height });
        // H.264 has even sizes only: one more column and row then, of the same colours.
        await page.waitForFunction(([w, h]) => {
          const { videoWidth, videoHeight } = document.getElementById('video');
          return (videoWidth === w || videoWidth === w + (w & 1)) && (videoHeight === h || videoHeight === h + (h & 1));
        }, [width, height], { timeout: 6000 });
        let worst = null;
        for (let tries = 0; tries < 20; tries += 1) {
          const seen = await page.evaluate(`(${readBack})(${COLUMNS}, ${rows})`);
          worst = seen.tiles.map((tile, i) => ({ expected: PALETTE[i], tile, off: distance(tile, PALETTE[i]) })).sort((a, b) => b.off - a.off)[0];
          worst.edge = Math.max(distance(seen.edge.right, PALETTE[COLUMNS - 1]), distance(seen.edge.bottom, PALETTE[PALETTE.length - COLUMNS]));
          if (worst.off <= TOLERANCE && worst.edge <= 40) break;
          await sleep(150);  // the encoder needs some frames for a sharp picture
        }
        console.log(`  ${codec} ${width}x${height}: ${worst.off} levels off at worst, ${worst.edge} at the last row and column`);
        assert.ok(worst.off <= TOLERANCE, `${width}x${height}: ${brief(worst)}`);
        assert.ok(worst.edge <= 40, `${width}x${height}: the last row or column is ${worst.edge} levels off`);
      }
      await page.context().close();
    } finally {
      await child.stop();
    }
  });
}
