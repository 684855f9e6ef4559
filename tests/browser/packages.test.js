// SPDX-License-Identifier: LGPL-2.1-or-later
// The locked packages run under the oldest node that package.json names, which is Debian 12's: a newer machine would not notice.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url)));
const OLDEST = [18, 20];  // major, minor

/** Whether a range as packages write it (`>=18`, `^14.17.0 || >=16.0.0`) allows a version. */
function allows(range, [major, minor]) {
  return range.split('||').some((part) => {
    const found = /^\s*(\^|>=)?\s*(\d+)(?:\.(\d+))?(?:\.[\dx]+)?\s*$/.exec(part);
    if (!found) return part.trim() === '*';
    const [least, leastMinor] = [Number(found[2]), Number(found[3] ?? 0)];
    if (major === least) return minor >= leastMinor;
    return found[1] === '>=' && major > least;
  });
}

test('ranges are read as npm reads them', () => {
  for (const range of ['>=18', '>= 6', '^14.17.0 || ^16.13.0 || >=18.0.0', '>=18.15.0', '18']) assert.ok(allows(range, OLDEST), range);
  for (const range of ['>=20', '^16.13.0', '>=18.21.0', '^14.17.0 || >=20', '17']) assert.ok(!allows(range, OLDEST), range);
});

test('every locked package runs under the oldest node', () => {
  assert.equal(read('package.json').engines.node, `>=${OLDEST[0]}`);
  const { packages } = read('package-lock.json');
  assert.ok(Object.keys(packages).length > 10);
  for (const [name, { engines }] of Object.entries(packages)) {
    if (engines?.node) assert.ok(allows(engines.node, OLDEST), `${name} wants node ${engines.node}`);
  }
});
