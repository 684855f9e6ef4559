// SPDX-License-Identifier: LGPL-2.1-or-later
// The JSON console: what passes on the data channel both ways, and a line to type commands in.
import { element } from './controls.js';
import { clockTime, utf8Length } from './format.js';

const KEPT = 300;          // entries in the log
const ONE_LINE = 160;      // characters shown before an entry folds
const HISTORY = 50;
const LIMIT = 65536;       // bytes of a value that the sink takes
const HINT = 'Enter sends · Shift+Enter new line · ↑ history';
const QUIET = new Set(['frame', 'ping', 'pong']);  // too many to be news

/** {object} or {error}: a command as typed, either JSON with a "type" or `name {…}`. */
export function parseCommand(text) {
  const short = /^\s*([A-Za-z_][\w.-]*)\s*(\{[\s\S]*\})?\s*$/.exec(text);
  let object;
  try {
    object = short ? { type: short[1], data: short[2] ? JSON.parse(short[2]) : {} } : JSON.parse(text);
  } catch (error) {
    return { error: `Not valid JSON: ${String(error.message).replace(/^JSON\.parse: |^Unexpected/, (m) => (m === 'Unexpected' ? 'unexpected' : ''))}` };
  }
  if (object === null || typeof object !== 'object' || Array.isArray(object) || typeof object.type !== 'string' || object.type === '') {
    return { error: 'A command is an object with a "type": {"type": "name", "data": {…}}.' };
  }
  const bytes = utf8Length(JSON.stringify(object));
  if (bytes > LIMIT) return { error: `Too large: ${bytes} bytes, at most ${LIMIT} are taken.` };
  return { object };
}

export class Console extends EventTarget {
  /** Fires "command" with {object, time}. */
  constructor({ log, form, input, hint, runtime, clear }) {
    super();
    Object.assign(this, { log, form, input, hint, runtime });
    this.history = [];
    this.place = 0;
    this.waiting = [];
    log.dataset.empty = 'Messages of the model, and what you send, appear here.';
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit(event.timeStamp);
    });
    input.addEventListener('keydown', (event) => this.#key(event));
    input.addEventListener('input', () => {
      this.#fit();
      this.say(HINT);
    });
    runtime.addEventListener('change', () => {
      log.classList.toggle('with-runtime', runtime.checked);
      this.#toEnd();
    });
    clear.addEventListener('click', () => log.replaceChildren());
  }

  /** Writes a line under the input; `bad` marks it as an error. */
  say(text, bad = false) {
    this.hint.textContent = text;
    this.hint.classList.toggle('bad', bad);
    this.input.setAttribute('aria-invalid', String(bad));
  }

  insert(object) {
    this.input.value = JSON.stringify(object);
    this.#fit();
    this.say(HINT);
    this.input.focus();
  }

  /** `direction` is "in", "out" or "note"; `message` is an envelope or a text. */
  add(direction, message) {
    this.waiting.push({ direction, message, date: new Date() });
    if (this.waiting.length > KEPT) this.waiting.shift();
    if (this.waiting.length === 1) {
      // One change of the page for all that came since the last: a model may send hundreds a second.
      setTimeout(() => this.#flush(), document.hidden ? 1000 : 60);
    }
  }

  #flush() {
    const follow = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 24;
    this.log.append(...this.waiting.map((entry) => this.#entry(entry)));
    this.waiting = [];
    while (this.log.childElementCount > KEPT) this.log.firstElementChild.remove();
    if (follow) this.#toEnd();
  }

  #toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  #entry({ direction, message, date }) {
    const item = element('li', { className: direction });
    const time = element('time', { textContent: clockTime(date), dateTime: date.toISOString() });
    const arrow = element('span', { className: 'arrow', textContent: { in: '↓', out: '↑', note: '·' }[direction] });
    arrow.setAttribute('aria-label', { in: 'received', out: 'sent', note: 'note' }[direction]);
    item.append(time, arrow);
    if (direction === 'note') {
      item.append(element('span', { className: 'body', textContent: message }));
      return item;
    }
    const runtime = message?.scope === 'runtime';
    const value = message?.data ?? message;
    if (runtime) {
      item.classList.add('runtime');
      if (QUIET.has(value?.type)) item.classList.add('chatty');
      if (value?.type === 'error') item.classList.add('error');
    }
    // Spaces after commas and colons: where a line may break.
    const text = JSON.stringify(value, null, 1)?.replace(/\n */g, ' ') ?? String(value);
    if (text.length <= ONE_LINE) {
      item.append(element('code', { className: 'body', textContent: text }));
    } else {
      const details = element('details', { className: 'body' });
      details.append(element('summary', { textContent: `${text.slice(0, ONE_LINE)}…` }));
      details.addEventListener('toggle', () => {
        if (details.childElementCount === 1) details.append(element('pre', { textContent: JSON.stringify(value, null, 2) }));
      }, { once: true });
      item.append(details);
    }
    return item;
  }

  #submit(time) {
    const text = this.input.value.trim();
    if (text === '') return;
    const { object, error } = parseCommand(text);
    if (error) {
      this.say(error, true);
      return;
    }
    const sent = { object, time, sent: false, problem: 'Not sent: there is no connection.' };
    this.dispatchEvent(new CustomEvent('command', { detail: sent }));
    if (!sent.sent) {
      this.say(sent.problem, true);
      return;
    }
    if (this.history.at(-1) !== text) this.history.push(text);
    if (this.history.length > HISTORY) this.history.shift();
    this.place = this.history.length;
    this.input.value = '';
    this.#fit();
    this.say(HINT);
  }

  #key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit(event.timeStamp);
    } else if ((event.key === 'ArrowUp' || event.key === 'ArrowDown') && !this.input.value.includes('\n')) {
      const place = this.place + (event.key === 'ArrowUp' ? -1 : 1);
      if (place < 0 || place > this.history.length) return;
      event.preventDefault();
      this.place = place;
      this.input.value = this.history[place] ?? '';
      this.#fit();
    }
  }

  #fit() {
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight + 2, 160)}px`;
  }
}
