// SPDX-License-Identifier: LGPL-2.1-or-later
// Buttons, sliders and inputs for the commands that a model announces.
//
// A command without parameters is a button; one with a single parameter is a row that sends as it changes; one with more is a
// small form. A schema is a map of parameters, or a JSON schema with `properties`.
import { title } from './format.js';

const SLIDER_MS = 50;  // at most 20 values a second while a slider moves: well below what a viewer may send

/** The parameters of a command, in order: [{name, type, minimum, maximum, values, fallback, required, description}]. */
export function parameters(schema) {
  if (!schema || typeof schema !== 'object') return [];
  const nested = schema.properties && typeof schema.properties === 'object';
  const required = nested && Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(nested ? schema.properties : schema)
    .filter(([, entry]) => entry && typeof entry === 'object')
    .map(([name, entry]) => {
      const type = entry.type ?? (typeof (entry.enum ?? [])[0] === 'number' ? 'number' : 'string');
      return {
        name,
        type,
        minimum: entry.minimum ?? entry.exclusiveMinimum,
        maximum: entry.maximum ?? entry.exclusiveMaximum,
        maxLength: entry.maxLength,
        values: Array.isArray(entry.enum) ? entry.enum : null,
        fallback: entry.default,
        required: entry.required === true || required.includes(name),
        description: entry.description ?? '',
      };
    });
}

/** A value that a parameter may start with. */
function initial(parameter) {
  if (parameter.fallback !== undefined && parameter.fallback !== null) return parameter.fallback;
  if (parameter.values) return parameter.values[0];
  if (parameter.type === 'boolean') return false;
  if (parameter.type === 'integer' || parameter.type === 'number') return parameter.minimum ?? 0;
  return '';
}

/** A command as the console would have it typed. */
export function example(command) {
  const data = {};
  for (const parameter of parameters(command.schema)) data[parameter.name] = initial(parameter);
  return { type: command.name, data };
}

export class Controls extends EventTarget {
  /** Fires "command" with {object, time} when a control is used, "insert" with the command's example for the console. */
  constructor(root) {
    super();
    this.root = root;
    this.enabled = true;
    this.shown = '';
    this.nextId = 1;
  }

  show(commands) {
    const text = JSON.stringify(commands);
    if (text === this.shown) return;  // the same again: what the user has set stays as it is
    this.shown = text;
    this.root.replaceChildren();
    if (commands.length === 0) {
      this.root.append(element('p', { className: 'empty', textContent: 'This model takes no commands.' }));
      return;
    }
    const buttons = element('div', { className: 'button-row' });
    const rest = document.createDocumentFragment();
    for (const command of commands) {
      const list = parameters(command.schema);
      if (list.length === 0) buttons.append(this.#button(command));
      else rest.append(list.length === 1 ? this.#row(command, list[0]) : this.#form(command, list));
    }
    if (buttons.childElementCount > 0) this.root.append(buttons);
    this.root.append(rest);
    this.enable(this.enabled);
  }

  enable(enabled) {
    this.enabled = enabled;
    for (const control of this.root.querySelectorAll('button, input, select, textarea')) control.disabled = !enabled;
  }

  #send(command, data, event) {
    this.dispatchEvent(new CustomEvent('command', { detail: { object: { type: command.name, data }, time: event.timeStamp } }));
  }

  #button(command) {
    const button = element('button', { type: 'button', textContent: title(command.name), title: command.description ?? '' });
    button.dataset.command = command.name;
    button.addEventListener('click', (event) => this.#send(command, {}, event));
    return button;
  }

  #row(command, parameter) {
    const row = element('div', { className: 'control' });
    row.dataset.command = command.name;
    row.append(this.#head(command, parameter));
    const input = this.#input(parameter, row);
    const send = (event) => {
      const value = input.read();
      if (value !== undefined) this.#send(command, { [parameter.name]: value }, event);
    };
    if (input.needsSend) {
      const form = element('form', { className: 'row' });
      form.append(input.node, element('button', { textContent: 'Send' }));
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        send(event);
      });
      row.append(form);
    } else {
      row.append(input.node);
      input.node.addEventListener(input.event, throttle(send, SLIDER_MS));
    }
    return row;
  }

  #form(command, list) {
    const form = element('form', { className: 'control group' });
    form.dataset.command = command.name;
    form.append(this.#head(command, null));
    const inputs = list.map((parameter) => {
      const field = element('div', { className: 'field' });
      const label = element('label', { textContent: title(parameter.name), title: parameter.description });
      const input = this.#input(parameter, field);
      label.htmlFor = input.id;
      field.prepend(label);
      field.append(input.node);
      form.append(field);
      return { parameter, input };
    });
    form.append(element('button', { textContent: title(command.name) }));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const data = {};
      for (const { parameter, input } of inputs) {
        const value = input.read();
        if (value !== undefined && (value !== '' || parameter.required)) data[parameter.name] = value;
      }
      this.#send(command, data, event);
    });
    return form;
  }

  #head(command, parameter) {
    const head = element('div', { className: 'control-head' });
    const name = element(parameter ? 'label' : 'span', { textContent: title(command.name), title: command.description ?? '' });
    if (parameter) name.htmlFor = `control-${this.nextId}`;
    const code = element('button', { type: 'button', className: 'quiet small code', textContent: '{ }', title: 'Write this command into the console' });
    code.setAttribute('aria-label', `Write ${command.name} into the console`);
    code.addEventListener('click', () => this.dispatchEvent(new CustomEvent('insert', { detail: example(command) })));
    head.append(name, code);
    return head;
  }

  /** {node, id, read(), event, needsSend}: an input for one parameter. `host` takes what shows a slider's value. */
  #input(parameter, host) {
    const id = `control-${this.nextId++}`;
    const start = initial(parameter);
    if (parameter.values) {
      const node = element('select', { id });
      parameter.values.forEach((value, index) => node.append(new Option(title(value), String(index), false, value === start)));
      return { node, id, event: 'change', read: () => parameter.values[Number(node.value)] };
    }
    if (parameter.type === 'boolean') {
      const node = element('input', { id, type: 'checkbox', checked: start === true, className: 'switch' });
      node.setAttribute('role', 'switch');
      return { node, id, event: 'change', read: () => node.checked };
    }
    if (parameter.type === 'integer' || parameter.type === 'number') {
      const bounded = Number.isFinite(parameter.minimum) && Number.isFinite(parameter.maximum);
      const step = parameter.type === 'integer' ? 1 : bounded ? stepFor(parameter.maximum - parameter.minimum) : 'any';
      const node = element('input', { id, type: bounded ? 'range' : 'number', step: String(step) });
      if (Number.isFinite(parameter.minimum)) node.min = String(parameter.minimum);
      if (Number.isFinite(parameter.maximum)) node.max = String(parameter.maximum);
      node.value = String(start);
      const read = () => (node.value === '' ? undefined : parameter.type === 'integer' ? Math.round(Number(node.value)) : Number(node.value));
      if (!bounded) return { node, id, needsSend: true, read };
      const output = element('output', { htmlFor: id, className: 'value' });
      const show = () => { output.textContent = parameter.type === 'integer' ? node.value : String(Number(Number(node.value).toPrecision(3))); };
      node.addEventListener('input', show);
      show();
      (host.querySelector('.control-head') ?? host).append(output);
      return { node, id, event: 'input', read };
    }
    const node = element('input', { id, type: 'text', value: String(start), placeholder: parameter.description, autocomplete: 'off' });
    if (parameter.maxLength) node.maxLength = parameter.maxLength;
    return { node, id, needsSend: true, read: () => node.value };
  }
}

/** A power of ten that divides `range` into 50 to 500 steps. */
function stepFor(range) {
  return range > 0 ? 10 ** Math.floor(Math.log10(range / 50)) : 'any';
}

/** Calls at most once in `interval` ms, and once more for what came last. */
function throttle(action, interval) {
  let last = -Infinity;
  let timer = 0;
  return (event) => {
    clearTimeout(timer);
    const wait = last + interval - performance.now();
    const run = () => {
      last = performance.now();
      action(event);
    };
    if (wait <= 0) run();
    else timer = setTimeout(run, wait);
  };
}

export function element(tag, properties = {}) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'htmlFor') node.setAttribute('for', value);
    else node[key] = value;
  }
  return node;
}
