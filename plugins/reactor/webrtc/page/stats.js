// SPDX-License-Identifier: LGPL-2.1-or-later
// Figures from outside the page, once a second: what the browser knows of the transport (getStats), and what the sink knows of
// pacing (GET /stats). A server that refuses or lacks a figure leaves it out; nothing here is needed for the picture.

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 3000;

export class Stats extends EventTarget {
  constructor(connection, endpoint) {
    super();
    this.connection = connection;
    this.endpoint = new URL(endpoint, document.baseURI).href;
    this.previous = null;
    this.transport = {};
    this.server = null;
    setInterval(() => this.#sample(), INTERVAL_MS);
  }

  async #sample() {
    if (document.hidden || this.connection.state !== 'connected') {
      this.previous = null;
      return;
    }
    await Promise.allSettled([this.#transport(), this.#server()]);
    this.dispatchEvent(new CustomEvent('sample'));
  }

  async #transport() {
    const report = await this.connection.pc.getStats();
    let inbound = null;
    let pair = null;
    const codecs = new Map();
    report.forEach((entry) => {
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') inbound = entry;
      if (entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') pair = entry;
      if (entry.type === 'codec') codecs.set(entry.id, entry.mimeType.replace('video/', ''));
    });
    if (!inbound) return;
    const before = this.previous;
    this.previous = inbound;
    const out = {
      codec: codecs.get(inbound.codecId) ?? '',
      width: inbound.frameWidth,
      height: inbound.frameHeight,
      rtt: pair?.currentRoundTripTime === undefined ? NaN : pair.currentRoundTripTime * 1000,
      bitrate: NaN,
      loss: NaN,
      jitterBuffer: NaN,
      freezes: inbound.freezeCount ?? 0,
      dropped: inbound.framesDropped ?? 0,
      keyFrames: inbound.keyFramesDecoded ?? 0,
    };
    if (before && inbound.timestamp > before.timestamp && inbound.bytesReceived >= before.bytesReceived) {
      const seconds = (inbound.timestamp - before.timestamp) / 1000;
      out.bitrate = (8 * (inbound.bytesReceived - before.bytesReceived)) / seconds;
      const lost = Math.max(0, inbound.packetsLost - before.packetsLost);
      const received = inbound.packetsReceived - before.packetsReceived;
      out.loss = lost + received > 0 ? lost / (lost + received) : NaN;
      const emitted = (inbound.jitterBufferEmittedCount ?? 0) - (before.jitterBufferEmittedCount ?? 0);
      if (emitted > 0) out.jitterBuffer = (1000 * (inbound.jitterBufferDelay - before.jitterBufferDelay)) / emitted;
    }
    this.transport = out;
  }

  async #server() {
    const response = await fetch(this.endpoint, {
      headers: this.connection.authorization, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    this.server = response.ok ? await response.json() : null;
  }
}
