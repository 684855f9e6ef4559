// SPDX-License-Identifier: LGPL-2.1-or-later
// The viewer page: puts the parts together. Each part is a module that knows nothing of the others.
//
//   Connection ─ track ─▶ <video> ─ requestVideoFrameCallback ─▶ Frames ─▶ Chart, metrics
//       └─ message ─▶ Frames, Reactivity, Controls, Console, the notice over the picture
import { Chart } from './chart.js';
import { Connection } from './connection.js';
import { Console } from './console.js';
import { Controls } from './controls.js';
import { bitrate, fixed, ms, percent } from './format.js';
import { Frames } from './frames.js';
import { Reactivity } from './reactivity.js';
import { Stats } from './stats.js';

const METRICS_MS = 250;
const HOLD_NOTICE_MS = 1500;  // a held picture is explained from here on, where the sink has not said why

const $ = (id) => document.getElementById(id);
const video = $('video');

/** Sets a node's text, if it is another: writing the same again would make a screen reader say it again. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
const calm = matchMedia('(prefers-reduced-motion: reduce)');

// The token stays in the fragment: it is in no request line, no Referer and no log, only in the Authorization header.
const connection = new Connection('whep', new URLSearchParams(location.hash.slice(1)).get('token') ?? '');
const frames = new Frames();
const reactivity = new Reactivity();
const stats = new Stats(connection, 'stats');
const chart = new Chart($('chart'), frames, calm);
const controls = new Controls($('controls'));
const log = new Console({
  log: $('log'), form: $('console-form'), input: $('console-input'), hint: $('console-hint'), runtime: $('show-runtime'), clear: $('clear'),
});

let model = { state: '', reason: '', role: 'full' };  // the sink's last state message
let connectionDetail = { state: 'idle' };

// ---- What is the matter: one answer for the pill, the cover and the notice --------------------------------------------

const STATES = {
  waiting: { label: 'Waiting for a model', tone: 'busy', title: 'Waiting for a model', text: 'Connected. Nothing has been generated so far.' },
  'warming-up': { label: 'Warming up', tone: 'busy', title: 'Warming up', text: 'The model has started and works on its first block.' },
  running: { label: 'Live', tone: 'good' },
  paused: { label: 'Paused', tone: 'calm', title: 'Paused by the model', text: 'The last frame is held.' },
  'model-gone': { label: 'Model gone', tone: 'bad', title: 'The model is gone', text: 'The last frame is held. The picture goes on when a model connects again.' },
  restarting: { label: 'Restarting', tone: 'busy', title: 'The model restarts', text: 'The last frame is held.' },
  over: { label: 'Session over', tone: 'calm', title: 'Session over', text: '' },
};

function showStatus(label, tone) {
  const status = $('status');
  status.dataset.tone = tone;
  write(status.lastElementChild, label);
  document.title = `${label} · Reactor`;
}

function showCover(cover) {
  $('stage').dataset.cover = cover ? 'on' : 'off';
  if (!cover) return;
  $('cover').dataset.tone = cover.tone;
  write($('cover-title'), cover.title);
  write($('cover-text'), cover.text ?? '');
  write($('cover-hint'), cover.code ? cover.hint : '');
  $('cover-code').hidden = !cover.code;
  write($('cover-code'), cover.code ?? '');
  $('cover-token').hidden = !cover.token;
  $('cover-action').hidden = !cover.action;
  write($('cover-action'), cover.action ?? '');
}

function showNotice(title, text, tone) {
  const notice = $('notice');
  notice.hidden = !title;
  if (!title) return;
  notice.dataset.tone = tone;
  write(notice.firstElementChild, title);
  write(notice.lastElementChild, text ?? '');
}

const hasPicture = () => frames.displayed.length > 0;

/** The state as told, except that who shows frames of a block is not about to begin: what is seen is newer than what was said. */
function seenState() {
  const early = model.state === 'waiting' || model.state === 'warming-up';
  return early && frames.displayed.some((frame) => frame.block !== null) ? 'running' : model.state;
}

function update() {
  const { state } = connectionDetail;
  const known = STATES[seenState()];
  controls.enable(connection.canSend && model.role !== 'view');
  if (state === 'connected') {
    const current = known ?? STATES.running;
    showStatus(hasPicture() || known ? current.label : 'Connected', current.tone);
    if (hasPicture()) {
      showCover(null);
      const held = frames.summary(performance.now()).held;
      if (current.title) showNotice(current.title, model.reason || current.text, current.tone);
      else if (held > HOLD_NOTICE_MS) showNotice('Held', 'The last frame stays until the next block is here.', 'calm');
      else showNotice(null);
    } else {
      showNotice(null);
      if (current.title) showCover({ tone: current.tone, title: current.title, text: model.reason || current.text, ...emptyHelp(model.state) });
      else showCover({ tone: 'busy', title: 'Connected', text: 'Waiting for the first frame.' });
    }
    return;
  }
  showNotice(null);
  if (state === 'connecting') {
    showStatus(connectionDetail.again ? 'Reconnecting' : 'Connecting', 'busy');
    if (hasPicture()) showNotice('Reconnecting', 'This is the last frame received.', 'busy');
    else if (!connectionDetail.again) showCover({ tone: 'busy', title: 'Connecting', text: '' });
  } else if (state === 'retrying') {
    const seconds = Math.max(0, Math.ceil((connectionDetail.retryAt - performance.now()) / 1000));
    const text = `${connectionDetail.text} Trying again ${seconds > 0 ? `in ${seconds} s` : 'now'}.`;
    showStatus('Reconnecting', 'bad');
    if (hasPicture() && connectionDetail.attempt <= 2) showNotice(connectionDetail.title, `${connectionDetail.text} Trying again.`, 'bad');
    else showCover({ tone: 'bad', title: connectionDetail.title, text, ...unreachableHelp(connectionDetail), action: 'Try now' });
  } else if (state === 'refused') {
    showStatus('Refused', 'bad');
    const needsToken = connectionDetail.status === 401;
    showCover({
      tone: 'bad',
      title: needsToken ? (connection.token ? 'This token is not valid' : 'A token is needed') : 'The server refused',
      text: needsToken ? 'Whoever started the server has it: the address to open ends in #token=…' : connectionDetail.text,
      token: needsToken,
      action: needsToken ? '' : 'Try again',
    });
  } else if (state === 'over') {
    showStatus('Session over', 'calm');
    showCover({ tone: 'calm', title: 'Session over', text: connectionDetail.text || 'The session has ended.', action: 'Start a new session' });
  }
}

function emptyHelp(state) {
  if (state !== 'waiting' && state !== 'model-gone') return {};
  return { hint: 'A model is started like this:', code: 'python3 -m gst_reactor run my_model.py:MyModel' };
}

function unreachableHelp({ title, attempt }) {
  return title === 'Server not reachable' && attempt > 2 ? { hint: 'Is it running? The demonstration is started by', code: './demo.sh' } : {};
}

// ---- Connection -------------------------------------------------------------------------------------------------------

let attempts = 0;

connection.addEventListener('state', ({ detail }) => {
  if (detail.state === 'connecting') {
    attempts += 1;
    reactivity.reset();
    model = { state: '', reason: '', role: 'full' };
  }
  const wasConnected = connectionDetail.state === 'connected';
  connectionDetail = { ...detail, again: attempts > 1 };
  if (detail.state === 'connected') {
    chart.event(performance.now(), 'connected');
    if (attempts > 1) log.add('note', 'connected again');
  } else if (detail.state === 'retrying') {
    if (wasConnected) chart.event(performance.now(), 'lost');
    if (detail.attempt === 1) log.add('note', `${detail.title}: ${detail.text}`);
  } else if (detail.state === 'refused') {
    log.add('note', `refused (${detail.status}): ${detail.text}`);
  } else if (detail.state === 'over') {
    log.add('note', `session over: ${detail.text}`);
  }
  update();
});

connection.addEventListener('open', update);

connection.addEventListener('track', ({ detail }) => {
  frames.reset();
  video.srcObject = detail;
  video.play().catch(() => { $('play').hidden = false; });
});

$('play').addEventListener('click', () => {
  $('play').hidden = true;
  video.play();
});

connection.addEventListener('sent', ({ detail }) => log.add('out', detail));

connection.addEventListener('message', ({ detail: message }) => {
  log.add('in', message);
  if (message?.scope !== 'runtime') return;
  const { type, data } = message.data ?? {};
  if (!data || typeof data !== 'object') return;
  if (type === 'frame') {
    const now = performance.now();
    if (frames.message(data, now)?.black === false) reactivity.frame(data);
  } else if (type === 'accepted') {
    reactivity.accepted(data);
  } else if (type === 'error') {
    reactivity.refused(data);
    log.say(`Refused: ${data.message ?? data.code}`, true);
  } else if (type === 'modelCapabilities') {
    if (Array.isArray(data.commands)) controls.show(data.commands.filter((command) => typeof command?.name === 'string'));
  } else if (type === 'state') {
    if (model.state && data.state !== model.state) chart.event(performance.now(), STATES[data.state]?.label ?? String(data.state));
    model = { state: data.state, reason: data.reason ?? '', role: data.role ?? 'full' };
    $('console-input').disabled = $('send').disabled = model.role === 'view';
    if (model.role === 'view') log.say('This token may watch, not command.');
    update();
  }
});

function command(detail) {
  const message = { scope: 'application', data: detail.object, ref: reactivity.sent(detail.time) };
  detail.sent = connection.send(message);
  if (!detail.sent) {
    reactivity.refused(message);
    if (connection.canSend) detail.problem = `Too large: this connection takes messages of at most ${connection.room} bytes.`;
  }
}

controls.addEventListener('command', ({ detail }) => command(detail));
controls.addEventListener('insert', ({ detail }) => log.insert(detail));
log.addEventListener('command', ({ detail }) => command(detail));

$('cover-action').addEventListener('click', () => connection.restart());
$('cover-token').addEventListener('submit', (event) => {
  event.preventDefault();
  connection.token = $('token').value.trim();
  history.replaceState(null, '', `#${new URLSearchParams({ token: connection.token })}`);
  connection.restart();
});
addEventListener('hashchange', () => {
  connection.token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  connection.restart();
});

// ---- The picture and its clock ----------------------------------------------------------------------------------------

function onFrame(now, metadata) {
  video.requestVideoFrameCallback(onFrame);
  const fresh = !hasPicture();
  const frame = frames.display(metadata);
  if (frame) {
    reactivity.displayed(frame.rtp, frame.time);
    for (const hook of hooks) hook(frame, metadata);
  }
  if (fresh) update();
}

const hooks = new Set();
if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(onFrame);
else log.add('note', 'this browser does not tell when frames are displayed: the chart stays empty');

// A browser that has nothing else to paint may skip frames of the video: one pixel that changes with every refresh prevents it.
const pulse = $('pulse').getContext('2d');
let beat = false;

function onRefresh(now) {
  requestAnimationFrame(onRefresh);
  beat = !beat;
  pulse.fillStyle = beat ? '#0b0d10' : '#0c0e11';
  pulse.fillRect(0, 0, 1, 1);
  if (!$('timing').hidden) chart.draw(now);
}
requestAnimationFrame(onRefresh);

// ---- Figures ----------------------------------------------------------------------------------------------------------

function metric(id, value, sub, tone = '') {
  const box = $(id);
  const [main, second] = box.querySelectorAll('dd');
  write(main, value);
  write(second, sub);
  if (box.dataset.tone !== tone) box.dataset.tone = tone;
}

function showMetrics() {
  const now = performance.now();
  const shown = frames.summary(now);
  const connected = connection.state === 'connected';
  // What a server said last is no news of one that is not heard.
  const pacing = (connected && stats.server?.pacing) || {};
  const { transport } = stats;
  chart.median = shown.p50;
  frames.halfRtt = Number.isFinite(transport.rtt) ? transport.rtt / 2 : 0;
  metric('m-fps', connected && Number.isFinite(shown.fps) ? `${fixed(shown.fps, 1)} fps` : '–', pacing.fps > 0 ? `model ${fixed(pacing.fps, 1)}` : '');
  metric('m-even', ms(shown.p50), Number.isFinite(shown.p95) ? `p95 ${fixed(shown.p95, 0)} · ${percent(shown.late)} late` : '', shown.late > 0.05 ? 'warn' : '');
  metric('m-hold', shown.longest > 0 ? ms(shown.longest) : '–', shown.holding ? 'holding' : shown.longest > 0 ? 'in 5 s' : '', shown.holding ? 'warn' : '');
  const queued = pacing['queue-frames'];
  metric('m-queue', Number.isFinite(queued) ? String(queued) : '–', Number.isFinite(queued) ? ms(pacing['queue-time'] / 1e6) : '');
  // The pacer knows it of every frame; without one the page knows it of each block's first.
  const first = frames.addedLatency(now);
  const added = Number.isFinite(pacing['latency-mean']) ? { mean: pacing['latency-mean'] / 1e6, p95: pacing['latency-p95'] / 1e6 } : { mean: first.p50, p95: first.p95 };
  metric('m-latency', ms(added.mean), Number.isFinite(added.p95) ? `p95 ${ms(added.p95)}` : '');
  metric('m-bitrate', connected ? bitrate(transport.bitrate) : '–', Number.isFinite(transport.jitterBuffer) ? `buffer ${ms(transport.jitterBuffer)}` : '');
  metric('m-loss', connected ? percent(transport.loss) : '–', Number.isFinite(transport.rtt) ? `RTT ${ms(transport.rtt)}` : '', transport.loss > 0.02 ? 'warn' : '');
  const react = reactivity.summary();
  metric('m-react', ms(react.p50), react.count > 0 ? `p95 ${ms(react.p95)} · blocks of ${react.blockSize}` : react.blockSize > 0 ? `blocks of ${react.blockSize}` : '');
  const size = video.videoWidth > 0 ? `${video.videoWidth} × ${video.videoHeight}` : '';
  write($('format'), [size, transport.codec].filter(Boolean).join(' · '));
  update();
}
setInterval(showMetrics, METRICS_MS);

// ---- Layout and keys --------------------------------------------------------------------------------------------------

function toggle(button, panel, name) {
  const apply = (shown) => {
    panel.hidden = !shown;
    button.setAttribute('aria-pressed', String(shown));
    $('layout').classList.toggle(`no-${name}`, !shown);
  };
  let shown = true;
  try {
    shown = localStorage.getItem(`reactor-${name}`) !== 'off';
  } catch { /* storage may be forbidden: the panel is shown then */ }
  apply(shown);
  button.addEventListener('click', () => {
    shown = !shown;
    apply(shown);
    try {
      localStorage.setItem(`reactor-${name}`, shown ? 'on' : 'off');
    } catch { /* as above */ }
  });
}
toggle($('toggle-side'), $('side'), 'side');
toggle($('toggle-timing'), $('timing'), 'timing');

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $('stage').requestFullscreen?.().catch(() => {});
}
$('fullscreen').addEventListener('click', fullscreen);
video.addEventListener('dblclick', fullscreen);

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return;
  const action = { f: fullscreen, p: () => $('toggle-side').click(), t: () => $('toggle-timing').click(), '/': () => $('console-input').focus() }[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});

// For the browser's own console and for tests: the parts, and a hook that sees each displayed frame.
globalThis.reactor = {
  connection, frames, reactivity, stats, video,
  send: (type, data = {}) => {
    const detail = { object: { type, data }, time: performance.now() };
    command(detail);
    return detail.sent;
  },
  onFrame: (hook) => {
    hooks.add(hook);
    return () => hooks.delete(hook);
  },
};

connection.start();
