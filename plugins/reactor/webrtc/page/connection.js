// SPDX-License-Identifier: LGPL-2.1-or-later
// One viewer's connection: WHEP for the video, the data channel "data" beside it, again and again.
//
//   start ─▶ connecting ─▶ connected ─▶ (lost) ─▶ retrying ─▶ connecting …
//                │              └─ the sink said "over" ─▶ over       (until restart())
//                └─ 401, 403, 406 … ─▶ refused                       (until restart())
//
// Events: "state" (detail: {state, title, text, status, retryAt}), "track" (MediaStream), "message" (parsed JSON),
// "sent" (object). A still picture is no sign of a dead connection: only ICE, DTLS and the data channel are believed.

const CONNECT_TIMEOUT_MS = 12000;    // from the request until media can flow; the sink itself gives up after 20 s
const GATHER_TIMEOUT_MS = 1500;      // a host candidate takes milliseconds; a silent STUN server must not stop us
const DISCONNECTED_GRACE_MS = 4000;  // ICE reports "disconnected" for gaps that heal by themselves
const BACKOFF_MS = [300, 700, 1500, 3000, 5000, 8000];
const OVER_MS = 800;                 // from the word that the session is over until the connection is closed from here
const PING_MS = 5000;

export class Connection extends EventTarget {
  constructor(endpoint, token) {
    super();
    this.endpoint = new URL(endpoint, document.baseURI).href;
    this.token = token;
    this.state = 'idle';
    this.attempt = 0;
    this.pc = null;
    this.channel = null;
    this.resource = null;
    this.epoch = 0;  // counts attempts: whatever belongs to an earlier one is ignored
    this.over = null;
    this.timers = new Set();
    addEventListener('online', () => { if (this.state === 'retrying') this.restart(); });
    addEventListener('pagehide', () => this.stop());
    addEventListener('pageshow', (event) => { if (event.persisted) this.restart(); });
  }

  get authorization() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  start() {
    this.#teardown();
    this.#connect();
  }

  /** Connects anew at once, whatever the state. */
  restart() {
    this.attempt = 0;
    this.start();
  }

  /** Leaves for good: the sink is told, also while the page goes away. */
  stop() {
    this.#teardown();
    this.#set('idle', {});
  }

  get canSend() {
    return this.channel?.readyState === 'open';
  }

  /** Bytes that one message may have, with its envelope. */
  get room() {
    return this.pc?.sctp?.maxMessageSize ?? Infinity;
  }

  /** Sends one object; false when there is no open channel, or the object is larger than the two sides have agreed on. */
  send(object) {
    if (!this.canSend) return false;
    try {
      this.channel.send(JSON.stringify(object));
    } catch {
      return false;
    }
    this.dispatchEvent(new CustomEvent('sent', { detail: object }));
    return true;
  }

  async #connect() {
    const epoch = this.epoch;
    const stale = () => epoch !== this.epoch;
    this.over = null;
    this.#set('connecting', {});

    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.pc = pc;
    const video = pc.addTransceiver('video', { direction: 'recvonly' });
    // Frames arrive evenly spaced already: what the browser adds to smooth them would be latency for nothing.
    if ('jitterBufferTarget' in video.receiver) video.receiver.jitterBufferTarget = 0;
    this.channel = pc.createDataChannel('data', { ordered: true });
    this.#watchChannel(this.channel, stale);
    pc.addEventListener('track', (event) => {
      if (!stale()) this.dispatchEvent(new CustomEvent('track', { detail: event.streams[0] ?? new MediaStream([event.track]) }));
    });
    pc.addEventListener('connectionstatechange', () => { if (!stale()) this.#connectionChanged(pc); });
    this.#later(CONNECT_TIMEOUT_MS, () => {
      if (this.state === 'connecting') {
        this.#lost('No media path', 'The server answered, but no packets get through. A firewall may block UDP between here and the server.');
      }
    });

    try {
      await pc.setLocalDescription();
      await gathered(pc);
      if (stale()) return;
      const response = await fetch(this.endpoint, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', ...this.authorization },
        body: pc.localDescription.sdp,
      });
      const body = await response.text();
      const header = response.headers.get('Location');
      const resource = header ? new URL(header, this.endpoint).href : null;
      if (stale()) {
        this.#release(resource);
        return;
      }
      if (!response.ok) {
        this.#refused(response, body);
        return;
      }
      this.resource = resource;
      await pc.setRemoteDescription({ type: 'answer', sdp: body });
    } catch (error) {
      if (stale()) return;
      if (error instanceof TypeError) {
        this.#lost('Server not reachable', `Nothing answers at ${location.host}.`);
      } else {
        this.#lost('Connection failed', String(error.message ?? error));
      }
    }
  }

  #watchChannel(channel, stale) {
    channel.addEventListener('open', () => {
      if (stale()) return;
      const ask = () => {
        if (channel.readyState === 'open') channel.send('{"scope":"runtime","data":{"type":"ping","data":{}}}');
      };
      this.send({ scope: 'runtime', data: { type: 'requestCapabilities', data: {} } });
      const timer = setInterval(ask, PING_MS);
      channel.addEventListener('close', () => clearInterval(timer));
      this.#connectionChanged(this.pc);
      this.dispatchEvent(new CustomEvent('open'));
    });
    channel.addEventListener('message', (event) => {
      if (stale()) return;
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        message = { scope: 'application', data: String(event.data) };
      }
      if (message?.scope === 'runtime' && message.data?.type === 'state') {
        this.over = message.data.data?.state === 'over' ? message.data.data : null;
        // The sink closes the connection next. A process that ends may not come to it.
        if (this.over) this.#later(OVER_MS, () => { if (this.over) this.#lost(); });
      }
      this.dispatchEvent(new CustomEvent('message', { detail: message }));
    });
    channel.addEventListener('close', () => {
      if (!stale() && this.state === 'connected') this.#lost('Connection lost', 'The server closed the connection.');
    });
  }

  #connectionChanged(pc) {
    const state = pc.connectionState;
    if (state === 'connected' && this.state !== 'connected') {
      this.attempt = 0;
      this.#set('connected', {});
    } else if (state === 'failed' || state === 'closed') {
      this.#lost('Connection lost', 'No packets come from the server any more.');
    } else if (state === 'disconnected') {
      const gone = () => {
        if (pc.connectionState === 'disconnected') this.#lost('Connection lost', 'No packets come from the server any more.');
      };
      this.#later(DISCONNECTED_GRACE_MS, gone);
      // Where nobody listens any more there is nothing to wait for.
      fetch(new URL('healthz', document.baseURI), { signal: AbortSignal.timeout(DISCONNECTED_GRACE_MS) }).catch(gone);
    }
  }

  #refused(response, body) {
    let text = body.slice(0, 400);
    try {
      text = JSON.parse(body).error.message;
    } catch { /* a proxy's answer is no JSON */ }
    const detail = { status: response.status, text: text || response.statusText };
    // What trying again cannot change waits for the user; everything else is tried again.
    if ([401, 403, 404, 406, 415, 422].includes(response.status)) {
      this.#teardown();
      this.#set('refused', detail);
    } else {
      this.#lost(`Refused (${response.status})`, detail.text);
    }
  }

  #lost(title, text) {
    if (this.state === 'refused' || this.state === 'over') return;
    const over = this.over;
    this.#teardown();
    if (over) {
      this.#set('over', { text: over.reason ?? '' });
      return;
    }
    const base = BACKOFF_MS[Math.min(this.attempt, BACKOFF_MS.length - 1)];
    const wait = base * (0.8 + 0.4 * Math.random());  // many viewers of one server must not return in step
    this.attempt += 1;
    this.#set('retrying', { title, text, attempt: this.attempt, retryAt: performance.now() + wait });
    this.#later(wait, () => this.#connect());
  }

  /** Runs `action` after `delay` unless this attempt has ended by then. */
  #later(delay, action) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, delay);
    this.timers.add(timer);
  }

  #teardown() {
    this.epoch += 1;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.#release(this.resource);
    this.resource = null;
    this.channel?.close();
    this.pc?.close();
    this.pc = null;
    this.channel = null;
  }

  /** Tells the sink that this viewer is gone; without it the sink notices after some seconds. */
  #release(resource) {
    if (resource) fetch(resource, { method: 'DELETE', headers: this.authorization, keepalive: true }).catch(() => {});
  }

  #set(state, detail) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: { state, ...detail } }));
  }
}

function gathered(pc) {
  if (pc.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER_TIMEOUT_MS);
    pc.addEventListener('icegatheringstatechange', () => {
      if (pc.iceGatheringState !== 'complete') return;
      clearTimeout(timer);
      resolve();
    });
  });
}
