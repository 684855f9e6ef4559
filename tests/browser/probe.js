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
  const strip = new OffscreenCanvas(CELLS, 1).getContext('2d', { willReadFrequently: true, alpha: false });
  const spot = new OffscreenCanvas(8, 8).getContext('2d', { willReadFrequently: true, alpha: false });

  function number(video) {
    // The inner half of each square, scaled to one pixel: what is read is away from its edges.
    for (let i = 0; i < CELLS; i += 1) strip.drawImage(video, i * CELL + 4, 4, 8, 8, i, 0, 1, 1);
    const { data } = strip.getImageData(0, 0, CELLS, 1);
    const bit = (i) => (data[4 * i + 1] > 127 ? 1 : 0);
    if (bit(0) !== 1 || bit(1) !== 0 || bit(2) !== 1 || bit(3) !== 0) return null;
    let value = 0;
    for (let i = 0; i < BITS; i += 1) value = value * 2 + bit(4 + i);
    let check = 0;
    for (let i = 0; i < 8; i += 1) check = check * 2 + bit(4 + BITS + i);
    return ((value & 255) + ((value >> 8) & 255) + ((value >> 16) & 255)) % 256 === check ? value : null;
  }

  /** The mean colour of the strip below the number, where the model draws nothing but its background. */
  function mean(video) {
    spot.drawImage(video, 0, 48, video.videoWidth, 64, 0, 0, 8, 8);
    const { data } = spot.getImageData(0, 0, 8, 8);
    const sum = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c += 1) sum[c] += data[i + c];
    return sum.map((value) => Math.round(value / 64));
  }

  probe.attach = (video) => {
    if (probe.video === video) return;
    probe.video = video;
    const next = (now, metadata) => {
      video.requestVideoFrameCallback(next);
      probe.frames.push({
        time: metadata.expectedDisplayTime, rtp: metadata.rtpTimestamp, presented: metadata.presentedFrames, number: number(video), mean: mean(video),
      });
      if (probe.frames.length > 5000) probe.frames.shift();
    };
    video.requestVideoFrameCallback(next);
  };

  /** What the video shows at this moment. */
  probe.now = () => ({ number: number(probe.video), mean: mean(probe.video) });

  const own = () => {
    const video = document.querySelector('video');
    if (video) probe.attach(video);
    else setTimeout(own, 20);
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', own);
  else own();
  return probe;
})();
