// SPDX-License-Identifier: LGPL-2.1-or-later
// What every browser test needs: a pipeline or model process with its port, Chromium, and the page in it. Everything that is
// started here is ended here, by process group, also when a test fails.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const source = path.resolve(here, '../..');
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => existsSync(p));
// The Python that has gi and numpy, as meson found it.
export const PYTHON = process.env.REACTOR_TEST_PYTHON || '/usr/bin/python3';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
];

export async function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `probe` gives something true; its last value, or an error that says what was waited for. */
export async function until(what, probe, { timeout = 10000, every = 50 } = {}) {
  const end = Date.now() + timeout;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`waited ${timeout} ms for ${what}; last: ${JSON.stringify(last)}`);
    await sleep(every);
  }
}

/** A child in a process group of its own. */
export class Process {
  constructor(command, args, { env = {}, cwd = source } = {}) {
    this.output = '';
    this.child = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.name = path.basename(command);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => { this.output = (this.output + text).slice(-200000); });
    }
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => {
        this.output += String(error);
        resolve(-1);
      });
      this.child.on('exit', (code, signal) => resolve(code ?? signal));
    });
    this.running = true;
    this.ended.then(() => { this.running = false; });
    process.on('exit', () => this.kill('SIGKILL'));
  }

  kill(signal) {
    try {
      process.kill(-this.child.pid, signal);
    } catch { /* it is gone already */ }
  }

  async stop() {
    this.kill('SIGINT');
    const timer = setTimeout(() => this.kill('SIGKILL'), 4000);
    const code = await this.ended;
    clearTimeout(timer);
    this.kill('SIGKILL');
    return code;
  }
}

async function listening(child, port) {
  await until(`${child.name} to listen on ${port}`, async () => {
    if (!child.running) throw new Error(`${child.name} ended early:\n${child.output.slice(-3000)}`);
    try {
      return (await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(1000) })).status > 0;
    } catch {
      return false;
    }
  }, { timeout: 20000 }).catch(async (error) => {
    await child.stop();
    throw new Error(`${error.message}\n${child.output.slice(-3000)}`);
  });
  child.port = port;
  child.url = `http://127.0.0.1:${port}/`;
  return child;
}

/** gst-launch with a description; `PORT` in it becomes a free port. */
export async function pipeline(description, options) {
  const port = await freePort();
  return listening(new Process('gst-launch-1.0', ['-q', ...description.replaceAll('PORT', String(port)).split(/\s+/)], options), port);
}

/** A Python model under `gst_reactor run`. */
export async function model(file, { args = [], port: wanted, ...options } = {}) {
  const port = wanted ?? await freePort();
  return listening(new Process(PYTHON, ['-u', '-m', 'gst_reactor', 'run', file, '--port', String(port), ...args], options), port);
}

/** A Python script that is told its port. */
export async function script(file, { args = [], ...options } = {}) {
  const port = await freePort();
  return listening(new Process(PYTHON, ['-u', path.join(here, file), '--port', String(port), ...args], options), port);
}

/** Waits for several things that are started at once, {name: promise}. Where one fails, the others are ended. */
export async function together(starting) {
  const names = Object.keys(starting);
  const results = await Promise.allSettled(Object.values(starting));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    for (const { value } of results) await (value?.close?.() ?? value?.stop?.());
    throw failed.reason;
  }
  return Object.fromEntries(names.map((name, i) => [name, results[i].value]));
}

// A test that is ended from outside ends what it started.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(1));

export async function stats(child, token) {
  const response = await fetch(`${child.url}stats`, { headers: token ? { Authorization: `Bearer ${token}` } : {}, signal: AbortSignal.timeout(3000) });
  if (!response.ok) throw new Error(`/stats: ${response.status} ${await response.text()}`);
  return response.json();
}

/**
 * Chromium with a profile of its own. `showNames`: host candidates carry addresses instead of `.local` names. The process is
 * started by us, not by playwright, so that a test may kill it.
 */
export async function browser({ showNames = false, flags = [] } = {}) {
  const profile = mkdtempSync(path.join(tmpdir(), 'reactor-chromium-'));
  const features = showNames ? ['--disable-features=WebRtcHideLocalIpsWithMdns'] : [];
  const child = new Process(CHROMIUM, ['--headless=new', ...FLAGS, ...features, ...flags, `--user-data-dir=${profile}`,
    '--remote-debugging-port=0', 'about:blank'], { cwd: profile });
  const address = await until('Chromium to listen', () => {
    if (!child.running) throw new Error(`Chromium ended early:\n${child.output.slice(-2000)}`);
    return /DevTools listening on (ws:\S+)/.exec(child.output)?.[1];
  }, { timeout: 20000 });
  const connected = await chromium.connectOverCDP(address);
  return {
    browser: connected,
    process: child,
    /** A page in a context of its own; errors in it are kept in `page.faults`. */
    async page({ width = 1280, height = 800, init, ...options } = {}) {
      const context = await connected.newContext({ viewport: { width, height }, ...options });
      const page = await context.newPage();
      page.faults = [];
      page.on('pageerror', (error) => page.faults.push(String(error.stack ?? error)));
      page.on('console', (message) => { if (message.type() === 'error') page.faults.push(message.text()); });
      if (init) await page.addInitScript(init);
      page.setDefaultTimeout(15000);
      return page;
    },
    kill() {
      child.kill('SIGKILL');
    },
    async close() {
      await connected.close().catch(() => {});
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
      await child.ended;
      clearTimeout(timer);
      child.kill('SIGKILL');
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The page's files and further folders over HTTP, for tests without a sink. `routes`: path → {type, body}. */
export async function serve(routes = {}) {
  const root = path.join(source, 'plugins/reactor/webrtc/page');
  const { readFile } = await import('node:fs/promises');
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://x');
    const route = routes[pathname];
    if (route) {
      response.writeHead(route.status ?? 200, { 'Content-Type': route.type ?? 'text/html' }).end(route.body);
      return;
    }
    const name = pathname === '/' ? 'index.html' : /^\/page\/([\w.-]+)$/.exec(pathname)?.[1];
    try {
      const body = await readFile(path.join(root, name ?? ''));
      response.writeHead(200, { 'Content-Type': types[path.extname(name)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.closeAllConnections() || server.close() };
}

/** The p-quantile of numbers, as the page computes it. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}
