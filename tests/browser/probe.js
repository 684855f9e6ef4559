// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs inside a page: reads the number that tests/browser/model.py draws into each frame, when that frame is displayed.
//
//   probe.attach(video)         follows a <video>; the page's own one is followed by itself
//   probe.frames                [{time, rtp, number, mean, presented}]: number is null where none can be read, mean is [r, g, b]
globalThis.probe = (() => {
  const CELL = 16;
  const BITS = 24;
  const CELLS = 4 + BITS + 8;
  const probe = { frames: [], video: null };
  const WIDTH = CELLS * CELL;
  const HEIGHT = 112;
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT).getContext('2d', { willReadFrequently: true, alpha: false });

  /** {number, mean} of what the video shows. One copy of the picture's upper part: each costs a conversion of the frame. */
  function read(video) {
    canvas.drawImage(video, 0, 0, WIDTH, HEIGHT, 0, 0, WIDTH, HEIGHT);
    const { data } = canvas.getImageData(0, 0, WIDTH, HEIGHT);
    return { number: number(data), mean: mean(data) };
  }

  function number(data) {
    // The middle of each square: what is read is away from its edges.
    const bit = (i) => (data[4 * ((CELL / 2) * WIDTH + i * CELL + CELL / 2) + 1] > 127 ? 1 : 0);
    if (bit(0) !== 1 || bit(1) !== 0 || bit(2) !== 1 || bit(3) !== 0) return null;
    let value = 0;
    for (let i = 0; i < BITS; i += 1) value = value * 2 + bit(4 + i);
    let check = 0;
    for (let i = 0; i < 8; i += 1) check = check * 2 + bit(4 + BITS + i);
    return ((value & 255) + ((value >> 8) & 255) + ((value >> 16) & 255)) % 256 === check ? value : null;
  }

  /** The mean colour below the number, where the model draws nothing but its background. */
  function mean(data) {
    const sum = [0, 0, 0];
    let count = 0;
    for (let y = 48; y < HEIGHT; y += 8) {
      for (let x = 4; x < WIDTH; x += 16) {
        for (let c = 0; c < 3; c += 1) sum[c] += data[4 * (y * WIDTH + x) + c];
        count += 1;
      }
    }
    return sum.map((value) => Math.round(value / count));
  }

  probe.attach = (video) => {
    if (probe.video === video) return;
    probe.video = video;
    const next = (now, metadata) => {
      video.requestVideoFrameCallback(next);
      probe.frames.push({
        time: metadata.expectedDisplayTime, rtp: metadata.rtpTimestamp, presented: metadata.presentedFrames, ...read(video),
      });
      if (probe.frames.length > 5000) probe.frames.shift();
    };
    video.requestVideoFrameCallback(next);
  };

  /** What the video shows at this moment. */
  probe.now = () => read(probe.video);

  const own = () => {
    const video = document.querySelector('video');
    if (video) probe.attach(video);
    else setTimeout(own, 20);
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', own);
  else own();
  return probe;
})();
