// SPDX-License-Identifier: LGPL-2.1-or-later
// From an input to the first displayed frame that answers it.
//
//   input (ref) ─ accepted ─▶ command id ─ frame message with command ≥ id ─▶ RTP timestamp ─ displayed ─▶ milliseconds
//
// Samples belong to the block size in use; another size starts afresh. Times are performance.now() milliseconds.
import { ascending, quantile } from './format.js';

const KEPT = 200;          // samples that the quantiles are taken over
const PENDING = 500;       // commands waiting for an answer; a model that answers none must not fill memory
const GIVE_UP_MS = 60000;  // later than this a block says nothing about the command

/** Distance a − b of two 32-bit RTP timestamps, right across the wrap. */
export const rtpDistance = (a, b) => (a - b) | 0;

export class Reactivity {
  constructor() {
    this.nextRef = 1;
    this.reset();
  }

  /** A new connection: ids of the former one mean nothing. */
  reset() {
    this.inputs = new Map();   // ref → time of the input
    this.commands = [];        // {id, input}, ascending id
    this.targets = [];         // {rtp, input, id}
    this.samples = [];
    this.blockSize = 0;
    this.total = 0;
  }

  /** A command leaves that was caused by an input at `time`; returns the ref to send with it. */
  sent(time) {
    const ref = String(this.nextRef++);
    this.inputs.set(ref, time);
    if (this.inputs.size > PENDING) this.inputs.delete(this.inputs.keys().next().value);
    return ref;
  }

  accepted({ command, ref }) {
    const input = this.inputs.get(String(ref));
    if (input === undefined || !Number.isFinite(command)) return;
    this.inputs.delete(String(ref));
    this.commands.push({ id: command, input });
    if (this.commands.length > PENDING) this.commands.shift();
  }

  refused({ ref }) {
    this.inputs.delete(String(ref));
  }

  /** A frame message: `command` is the last command that its block answers. */
  frame({ rtp, count, command }) {
    if (Number.isFinite(count) && count !== this.blockSize) {
      this.blockSize = count;
      this.samples = [];
    }
    while (this.commands.length > 0 && this.commands[0].id <= command) {
      const { id, input } = this.commands.shift();
      this.targets.push({ rtp, id, input, count });
    }
  }

  /** A frame is displayed at `time`; returns the samples that it completes. */
  displayed(rtp, time) {
    const done = [];
    this.targets = this.targets.filter((target) => {
      if (rtpDistance(rtp, target.rtp) < 0) return time - target.input < GIVE_UP_MS;
      if (target.count === this.blockSize) done.push({ id: target.id, ms: time - target.input });
      return false;
    });
    for (const { ms } of done) {
      this.samples.push(ms);
      this.total += 1;
      if (this.samples.length > KEPT) this.samples.shift();
    }
    return done;
  }

  summary() {
    const sorted = ascending(this.samples);
    return { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), count: sorted.length, blockSize: this.blockSize };
  }
}
