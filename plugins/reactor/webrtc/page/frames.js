// SPDX-License-Identifier: LGPL-2.1-or-later
// What arrived, what was released, what was displayed: the page's record of the last seconds, on one clock.
//
// Blocks come as `frame` messages (running times in ns), displayed frames from requestVideoFrameCallback; RTP timestamps tie
// the two together. Running time is laid on the page's clock by the fastest message seen: message received − released is
// the offset plus the way through the network, so the smallest is nearest the truth. All times are performance.now() ms.
import { ascending, quantile } from './format.js';
import { rtpDistance } from './reactivity.js';

const KEEP_MS = 20000;
const RTP_PER_MS = 90;
const OFFSETS = 64;        // messages the clock offset is the minimum of
const WINDOW_MS = 5000;    // the figures describe this much past
const MAX_BLOCKS = 2000;   // a model of 1-frame blocks at 60 fps for the time kept, and room
const LATE = 1.5;          // an interval beyond this many medians is seen as a stutter

export class Frames {
  constructor() {
    this.reset();
  }

  reset() {
    this.blocks = [];     // {block, count, command, rtp, arrived, released, shown, black}
    this.displayed = [];  // {time, rtp, block, index, released, repeat, black}
    this.meta = new Map();  // RTP timestamp → metadata of that frame
    this.offsets = [];
    this.presented = 0;   // frames the browser put on screen, also those it gave us no callback for
    this.firstPresented = null;
    this.first = NaN;     // time of the first displayed frame
    this.halfRtt = 0;
  }

  /** A `frame` message, received at `now`. Returns the block that it tells us of, or null when that is known already. */
  message(data, now) {
    if (!Number.isFinite(data.rtp)) return null;
    if (data.meta !== undefined && data.meta !== null) {
      this.meta.set(data.rtp, data.meta);
      if (this.meta.size > MAX_BLOCKS) this.meta.delete(this.meta.keys().next().value);
    }
    const black = data.block === null || data.block === undefined;
    const index = black ? 0 : data.index ?? 0;
    // A viewer who joins inside a block hears of it from there on.
    if (index > 0 && this.blocks.at(-1)?.block === data.block) return null;
    if (Number.isFinite(data.released)) {
      this.offsets.push(now - this.halfRtt - data.released / 1e6);
      if (this.offsets.length > OFFSETS) this.offsets.shift();
    }
    const offset = this.offset;
    const block = {
      block: data.block,
      black,
      count: black ? 1 : data.count ?? 1,
      command: data.command ?? 0,
      rtp: data.rtp,
      arrived: Number.isFinite(data.emitted) ? data.emitted / 1e6 + offset : now,
      released: Number.isFinite(data.released) ? data.released / 1e6 + offset : now,
      shown: index,
    };
    this.blocks.push(block);
    while (this.blocks.length > MAX_BLOCKS || (this.blocks.length > 1 && this.blocks[0].released < now - KEEP_MS)) this.blocks.shift();
    return block;
  }

  /** Page time minus running time, in ms. */
  get offset() {
    return this.offsets.length > 0 ? Math.min(...this.offsets) : 0;
  }

  /** The block that the picture with this RTP timestamp comes from: the last one that began at or before it. */
  blockOf(rtp) {
    for (let i = this.blocks.length - 1; i >= 0; i -= 1) {
      if (rtpDistance(rtp, this.blocks[i].rtp) >= 0) return this.blocks[i];
    }
    return null;
  }

  /** A displayed frame. `metadata` is what requestVideoFrameCallback gives. */
  display(metadata) {
    const time = metadata.expectedDisplayTime;
    const rtp = metadata.rtpTimestamp;
    if (this.firstPresented === null) {
      this.firstPresented = metadata.presentedFrames;
      this.first = time;
    }
    this.presented = metadata.presentedFrames - this.firstPresented + 1;
    const last = this.displayed.at(-1);
    if (last && rtp !== undefined && last.rtp === rtp) return null;
    const block = rtp === undefined ? null : this.blockOf(rtp);
    const frame = { time, rtp, block: null, index: 0, released: NaN, repeat: false, black: false, skipped: 0 };
    if (last) frame.skipped = Math.max(0, metadata.presentedFrames - this.lastPresented - 1);
    if (block) {
      // A busy browser presents frames without a callback; they have their place in the block all the same.
      if (frame.skipped > 0 && last.block === block.block) {
        block.shown += frame.skipped;
      } else if (frame.skipped > 0) {
        const step = rtpDistance(rtp, last.rtp) / (frame.skipped + 1);
        block.shown += Math.min(frame.skipped, Math.max(0, Math.round(rtpDistance(rtp, block.rtp) / step) - block.shown));
      }
      frame.black = block.black;
      frame.block = block.block;
      frame.index = Math.min(block.shown, block.count - 1);
      frame.repeat = block.shown >= block.count;
      frame.released = block.released + rtpDistance(rtp, block.rtp) / RTP_PER_MS;
      block.shown += 1;
    }
    this.lastPresented = metadata.presentedFrames;
    this.displayed.push(frame);
    while (this.displayed[0].time < time - KEEP_MS) this.displayed.shift();
    return frame;
  }

  /** Displayed frames a second, their intervals, and holds, over the last seconds. */
  summary(now) {
    const recent = this.displayed.filter((frame) => frame.time >= now - WINDOW_MS && frame.time <= now);
    const fresh = recent.filter((frame) => !frame.repeat);
    const intervals = [];
    for (let i = 1; i < fresh.length; i += 1) intervals.push(fresh[i].time - fresh[i - 1].time);
    const sorted = ascending(intervals);
    const median = quantile(sorted, 0.5);
    const late = intervals.filter((interval) => interval > LATE * median).length;
    const lastFresh = this.displayed.findLast((frame) => !frame.repeat);
    const current = lastFresh ? now - lastFresh.time : NaN;
    const holding = current > Math.max(250, 3 * (median || 0));
    return {
      fps: fresh.length > 1 && !holding ? (1000 * (fresh.length - 1)) / (fresh.at(-1).time - fresh[0].time) : fresh.length > 1 ? 0 : NaN,
      p50: median,
      p95: quantile(sorted, 0.95),
      max: sorted.length > 0 ? sorted.at(-1) : NaN,
      late: intervals.length > 0 ? late / intervals.length : NaN,
      holding,
      held: current,
      longest: Math.max(sorted.length > 0 ? sorted.at(-1) : 0, holding ? current : 0),
    };
  }

  /** What the pacer added to the frames of the last seconds: released − arrived, averaged over blocks. */
  addedLatency(now) {
    const recent = this.blocks.filter((block) => !block.black && block.released >= now - WINDOW_MS);
    const waits = ascending(recent.map((block) => block.released - block.arrived));
    return { p50: quantile(waits, 0.5), p95: quantile(waits, 0.95) };
  }
}
