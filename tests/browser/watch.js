// SPDX-License-Identifier: LGPL-2.1-or-later
// Opens the page of a running sink with the probe in it, and judges what was displayed.
import path from 'node:path';
import { here, quantile, sleep, stats } from './harness.js';

/** A page of `child`'s sink that shows frames. `fast`: expected within this many ms of opening. */
export async function openPage(chromium, child, { hash = '', waitForPicture = true, ...options } = {}) {
  const page = await chromium.page(options);
  await page.addInitScript({ path: path.join(here, 'probe.js') });
  const opened = Date.now();
  await page.goto(child.url + hash);
  if (waitForPicture) {
    await page.waitForFunction(() => globalThis.probe?.frames.length > 0, null, { timeout: 12000, polling: 20 }).catch(async (error) => {
      throw new Error(`no picture: ${error.message}\n${await situation(page, child)}`);
    });
    page.firstFrameMs = Date.now() - opened;
  }
  return page;
}

/** What a failed test wants to know. */
async function situation(page, child) {
  const seen = await page.evaluate(() => ({
    status: document.getElementById('status').textContent, cover: document.getElementById('cover').innerText,
    connection: reactor.connection.pc?.connectionState, ice: reactor.connection.pc?.iceConnectionState, channel: reactor.connection.channel?.readyState,
    presented: document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames, log: document.getElementById('log').innerText.slice(-1500),
  })).catch(String);
  const report = await stats(child).catch(String);
  return `page: ${JSON.stringify(seen, null, 1)}\nfaults: ${page.faults.join('; ')}\n/stats: ${JSON.stringify(report)}\noutput: ${child.output.slice(-3000)}`;
}

/** The frames displayed during `ms`. */
export async function watch(page, ms) {
  const from = await page.evaluate(() => performance.now());
  await sleep(ms);
  return page.evaluate((start) => probe.frames.filter((frame) => frame.time >= start), from);
}

/**
 * What the displayed frames say about evenness, order and loss. Intervals in ms.
 *
 * A frame is told from the next by its RTP timestamp; the numbers in the pictures say how many there should have been and in
 * which order. They are not compared one by one: on a busy machine the picture that is read in the callback is at times
 * the next one already.
 */
export function judge(frames) {
  // A callback may come twice for one frame: that is one display.
  const numbered = frames.filter((frame, i) => frame.number !== null && frame.rtp !== frames[i - 1]?.rtp);
  const intervals = [];
  const rtp = [];
  let backwards = 0;
  for (let i = 1; i < numbered.length; i += 1) {
    if (numbered[i].number < numbered[i - 1].number) backwards += 1;
    const step = Math.max(1, numbered[i].presented - numbered[i - 1].presented);  // frames without a callback lie between
    intervals.push((numbered[i].time - numbered[i - 1].time) / step);
    rtp.push(((numbered[i].rtp - numbered[i - 1].rtp) | 0) / 90 / step);
  }
  const span = numbered.length > 0 ? numbered.at(-1).number - numbered[0].number + 1 : 0;
  const shown = numbered.length > 0 ? numbered.at(-1).presented - numbered[0].presented + 1 : 0;
  const mean = intervals.reduce((sum, value) => sum + value, 0) / intervals.length;
  const median = quantile(intervals, 0.5);
  return {
    frames: numbered.length, shown, unreadable: frames.filter((frame) => frame.number === null).length,
    missing: Math.max(0, span - shown), again: Math.max(0, shown - span), backwards,
    mean, p50: median, p95: quantile(intervals, 0.95), max: Math.max(...intervals),
    late: intervals.filter((value) => value > 1.5 * Math.max(median, mean) + 1).length / intervals.length,
    rtp: { p50: quantile(rtp, 0.5), p95: quantile(rtp, 0.95), max: Math.max(...rtp) },
  };
}

/** Numbers of an object rounded for a line of test output. */
export function brief(object) {
  return JSON.stringify(object, (key, value) => (typeof value === 'number' ? Math.round(value * 1000) / 1000 : value));
}

/** Sends a command through the page and waits for the sink's word on it: {type: "accepted" | "error", data}. */
export function command(page, type, data = {}) {
  return page.evaluate(([name, value]) => new Promise((resolve, reject) => {
    const ref = `t${Math.random()}`;
    const listen = ({ detail }) => {
      if (detail?.scope !== 'runtime' || detail.data?.data?.ref !== ref) return;
      reactor.connection.removeEventListener('message', listen);
      resolve(detail.data);
    };
    reactor.connection.addEventListener('message', listen);
    setTimeout(() => reject(new Error(`no answer to ${name} within 8 s`)), 8000);
    if (!reactor.connection.send({ scope: 'application', data: { type: name, data: value }, ref })) reject(new Error('no open channel'));
  }), [type, data]);
}

/** Sends a command that fails and waits for the error that says so, which may come after the command was accepted. */
export function refusal(page, type, data = {}) {
  return page.evaluate(([name, value]) => new Promise((resolve, reject) => {
    const ref = `t${Math.random()}`;
    let id = null;
    const listen = ({ detail }) => {
      const { type: kind, data: told } = detail?.scope === 'runtime' ? detail.data ?? {} : {};
      if (kind === 'accepted' && told.ref === ref) id = told.command;
      if (kind !== 'error' || !(told.ref === ref || (id !== null && told.command === id))) return;
      reactor.connection.removeEventListener('message', listen);
      resolve(told);
    };
    reactor.connection.addEventListener('message', listen);
    setTimeout(() => reject(new Error(`no error for ${name} within 8 s`)), 8000);
    reactor.connection.send({ scope: 'application', data: { type: name, data: value }, ref });
  }), [type, data]);
}

/** Sends raw text on the page's data channel and waits for the error that answers it. */
export function provoke(page, text) {
  return page.evaluate((raw) => new Promise((resolve, reject) => {
    const listen = ({ detail }) => {
      if (detail?.scope !== 'runtime' || detail.data?.type !== 'error') return;
      reactor.connection.removeEventListener('message', listen);
      resolve(detail.data.data);
    };
    reactor.connection.addEventListener('message', listen);
    setTimeout(() => reject(new Error('no error within 8 s')), 8000);
    reactor.connection.channel.send(raw);
  }), text);
}
