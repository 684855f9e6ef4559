// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs one test file under node's test runner, or a benchmark by itself, or says what is missing and exits with 77, which meson counts as skipped.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(77);
}

const [major] = process.versions.node.split('.').map(Number);
if (major < 18) skip(`node ${process.version} is too old: 18 or newer is needed`);
if (!existsSync(path.join(here, 'node_modules/playwright-core/package.json'))) {
  skip('the npm packages are missing: run tests/browser/setup.sh (test.sh does)');
}
const { CHROMIUM } = await import('./harness.js');
if (!CHROMIUM) skip('no Chromium in /usr/bin: apt-get install chromium');

const file = path.resolve(process.argv[2]);
const args = file.endsWith('.test.js') ? ['--test', '--test-reporter=spec', file] : [file];
const { status, signal } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: here });
if (signal) console.log(`ended by ${signal}`);
process.exit(status ?? 1);
