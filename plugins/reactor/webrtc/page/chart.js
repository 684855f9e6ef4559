// SPDX-License-Identifier: LGPL-2.1-or-later
// The strip chart: three lanes on one clock, the present at the right edge.
//
//   blocks     one bar a block, where it came from the model; its height says how many frames it holds
//   released   one tick a frame, where the pacer sent it
//   displayed  one tick a frame, where it reached the screen; a long gap is shaded and labelled
//
// Ticks of one block share a shade, so that the eye finds a burst again as evenly spaced ticks.
import { ms } from './format.js';

const SPAN_MS = 6000;          // width of the wide chart
const NARROW_SPAN_MS = 3500;   // of one below NARROW_PX
const NARROW_PX = 560;
const FRAME_MS = 1000 / 30;    // the chart moves at 30 Hz: a software renderer pays for each pixel
const CALM_FRAME_MS = 1000;    // for people who asked for reduced motion
const LAG_MS = 120;            // the right edge: arrivals are known this late at most on a good link
const HOLD_FACTOR = 2.5;       // gaps beyond this many medians are shaded as a hold
const HOLD_MIN_MS = 120;

const COLOURS = {
  text: '#8b949e', line: 'rgba(255,255,255,.07)', hold: 'rgba(255,107,107,.13)', holdText: '#ff9b9b', event: 'rgba(255,255,255,.28)',
  blocks: ['#f2b84b', '#b98322'], released: ['#79b0ff', '#4573b5'], displayed: ['#63dcaa', '#359a72'],
};

export class Chart {
  /** `frames` is the record to draw; `calm` is a MediaQueryList for reduced motion. */
  constructor(canvas, frames, calm) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.frames = frames;
    this.calm = calm;
    this.last = 0;
    this.events = [];  // {time, label}: connection and state changes
    this.median = NaN;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#resize();
  }

  event(time, label) {
    this.events.push({ time, label });
    if (this.events.length > 50) this.events.shift();
  }

  #resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.ratio = ratio;
    this.last = 0;
  }

  /** Draws when it is time to; called once a screen refresh. */
  draw(now) {
    if (now - this.last < (this.calm.matches ? CALM_FRAME_MS : FRAME_MS) - 2) return;
    this.last = now;
    const context = this.context;
    const width = this.canvas.width / this.ratio;
    const height = this.canvas.height / this.ratio;
    if (width < 40 || height < 40) return;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'middle';

    const narrow = width < NARROW_PX;
    const left = 72;
    const span = narrow ? NARROW_SPAN_MS : SPAN_MS;
    const end = now - LAG_MS;
    const x = (time) => left + ((time - (end - span)) / span) * (width - left - 6);
    const axis = 14;
    const lane = (height - axis) / 3;
    const visible = (time) => time >= end - span - 500 && time <= now + 500;

    this.#grid({ context, width, height, left, axis, lane, x, end, span });

    context.save();
    context.beginPath();
    context.rect(left, 0, width - left, height);
    context.clip();
    this.#holds({ context, x, lane, end, span, height, axis });
    const room = lane - 10;
    const largest = Math.max(1, ...this.frames.blocks.map((block) => block.count));
    for (const block of this.frames.blocks) {
      if (block.black || !visible(block.arrived)) continue;
      const tall = Math.max(4, room * (0.35 + 0.65 * Math.min(1, block.count / largest)));
      context.fillStyle = COLOURS.blocks[block.block & 1];
      context.fillRect(Math.round(x(block.arrived)), lane - 4 - tall, block.count > 1 ? 5 : 2, tall);
      if (block.count > 1 && !narrow) {
        context.fillStyle = COLOURS.text;
        context.fillText(`${block.block}`, Math.round(x(block.arrived)) + 9, lane - 4 - tall + 5);
      }
    }
    for (const frame of this.frames.displayed) {
      const shade = (frame.block ?? 0) & 1;
      if (visible(frame.released) && !frame.repeat) {
        context.fillStyle = COLOURS.released[shade];
        context.fillRect(Math.round(x(frame.released)), lane + 5, 2, lane - 10);
      }
      if (visible(frame.time)) {
        context.fillStyle = COLOURS.displayed[shade];
        if (frame.repeat || frame.black) context.fillRect(Math.round(x(frame.time)), 2 * lane + lane / 2 - 2, 2, 4);
        else context.fillRect(Math.round(x(frame.time)), 2 * lane + 5, 2, lane - 10);
      }
    }
    // The newest first: where two come close, its name is the one to read.
    let free = Infinity;
    for (const { time, label } of [...this.events].reverse()) {
      if (!visible(time)) continue;
      context.fillStyle = COLOURS.event;
      const at = Math.round(x(time));
      context.fillRect(at, 0, 1, height - axis);
      if (at < left || at + 4 + context.measureText(label).width > free) continue;
      context.fillText(label, at + 4, 3 * lane + axis / 2 + 1);
      free = at;
    }
    context.restore();
  }

  #grid({ context, width, height, left, axis, lane, x, end, span }) {
    context.fillStyle = COLOURS.text;
    context.fillText('Blocks in', 0, lane / 2);
    context.fillText('Released', 0, lane * 1.5);
    context.fillText('Displayed', 0, lane * 2.5);
    for (let row = 1; row <= 3; row += 1) {
      context.fillStyle = COLOURS.line;
      context.fillRect(0, Math.round(row * lane), width, 1);
    }
    for (let second = Math.ceil((end - span) / 1000); second * 1000 <= end; second += 1) {
      const at = Math.round(x(second * 1000));
      if (at < left) continue;
      context.fillStyle = COLOURS.line;
      context.fillRect(at, 0, 1, height - axis);
      const ago = Math.round((end - second * 1000) / 1000);
      if (ago > 0 && at > left + 12 && this.events.every((event) => Math.abs(x(event.time) - at) > 90)) {
        context.fillStyle = COLOURS.text;
        context.textAlign = 'center';
        context.fillText(`−${ago} s`, at, height - axis / 2 + 1);
        context.textAlign = 'start';
      }
    }
  }

  #holds({ context, x, lane, end, span, height, axis }) {
    const limit = Math.max(HOLD_MIN_MS, HOLD_FACTOR * (this.median || HOLD_MIN_MS));
    let last = null;
    const mark = (from, to) => {
      if (to - from < limit || to < end - span) return;
      context.fillStyle = COLOURS.hold;
      context.fillRect(x(from), 2 * lane + 1, x(to) - x(from), lane - 1);
      const label = `held ${ms(to - from)}`;
      const room = x(to) - Math.max(x(from), x(end - span)) - 12;
      if (context.measureText(label).width < room) {
        context.fillStyle = COLOURS.holdText;
        context.fillText(label, Math.max(x(from), x(end - span)) + 8, 2 * lane + 10);
      }
    };
    for (const frame of this.frames.displayed) {
      if (frame.repeat) continue;
      if (last !== null) mark(last, frame.time);
      last = frame.time;
    }
    if (last !== null) mark(last, Math.max(last, end));
  }
}
