// SPDX-License-Identifier: LGPL-2.1-or-later
// Other people's packages, unmodified, as a page that a browser can load.
import { build } from 'esbuild';
import { here, serve } from './harness.js';

/** A page whose module is `code` (JSX allowed), bundled with the packages it imports: {html, script}. */
export async function makePage(code) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: here, loader: 'jsx' },
    bundle: true, write: false, format: 'esm', platform: 'browser', jsx: 'automatic', logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  const html = '<!DOCTYPE html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,"><div id="root"></div>'
    + '<script type="module" src="bundle.js"></script><canvas id="pulse" width="2" height="2"></canvas>'
    // A browser that has nothing else to paint may skip frames of a video.
    + '<script>let c=document.getElementById("pulse").getContext("2d"),n=0;(function f(){c.fillStyle=n++&1?"#fff":"#000";c.fillRect(0,0,2,2);requestAnimationFrame(f)})()</script>';
  return { html, script: outputFiles[0].text };
}

/** The same on a server of its own: another origin than the sink's. */
export async function servePage(code) {
  const { html, script } = await makePage(code);
  return serve({ '/': { body: html }, '/bundle.js': { type: 'text/javascript', body: script } });
}
