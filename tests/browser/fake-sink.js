// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs inside the page, before its own code: stands in for the server, so that the page can be tested in every state without
// one. `fetch("whep")` is answered by a second RTCPeerConnection in the same page, whose video is a canvas that draws blocks
// as a pacer would release them; its RTP timestamps are read from the encoded frames and reported as the sink does.
//
// Tests drive it through `window.fakeSink`: refuse(status, body), say(type, data), send(value), drop(), silent, hold, commands.
globalThis.fakeSink = (() => {
  const sink = {
    refusal: null, unreachable: false, silent: false, hold: false, blockSize: 12, fps: 24, latency: 120, width: 640,
    received: [], deleted: 0, requests: [], state: { state: 'running', reason: '', session: 's', viewer: 'v', role: 'full' },
    commands: [
      { name: 'set_scene', description: 'Change what is drawn', schema: { scene: { type: 'string', enum: ['tunnel', 'waves', 'grid'], description: 'Scene' } } },
      { name: 'set_speed', description: 'How fast it moves', schema: { speed: { type: 'number', minimum: 0, maximum: 4, default: 1 } } },
      { name: 'set_prompt', description: 'What to show', schema: { text: { type: 'string', required: true, description: 'a red barn at dusk' } } },
      { name: 'set_block_size', description: 'Frames in a block', schema: { frames: { type: 'integer', enum: [1, 4, 12] } } },
      { name: 'pause', description: 'Hold the last frame', schema: {} },
      { name: 'resume', description: 'Go on', schema: {} },
      { name: 'reset', description: 'Start again', schema: {} },
    ],
  };
  const realFetch = globalThis.fetch.bind(globalThis);
  let peer = null;
  let channel = null;
  let stop = () => {};
  let nextCommand = 1;
  let applied = 0;

  const json = (value, status = 200, headers = {}) => new Response(value === null ? null : JSON.stringify(value), { status, headers: { 'Content-Type': 'application/json', ...headers } });
  const packet = (scope, data) => { if (channel?.readyState === 'open') channel.send(JSON.stringify({ scope, data })); };
  sink.say = (type, data) => {
    if (type === 'state') sink.state = { ...sink.state, ...data };
    packet('runtime', { type, data: type === 'state' ? sink.state : data });
  };
  sink.send = (value) => packet('application', value);
  sink.drop = () => { stop(); peer?.close(); };

  function generate(connection) {
    const canvas = document.createElement('canvas');
    canvas.width = sink.width;
    canvas.height = sink.width * 0.55;
    const context = canvas.getContext('2d', { alpha: false });
    context.scale(sink.width / 1280, sink.width / 1280);
    const stream = canvas.captureStream(0);
    const [track] = stream.getVideoTracks();
    const sender = connection.addTrack(track, stream);
    const drawn = [];
    const streams = sender.createEncodedStreams();
    streams.readable.pipeThrough(new TransformStream({
      transform(frame, controller) {
        const rtp = frame.getMetadata().rtpTimestamp ?? frame.timestamp;
        const info = drawn.shift();
        if (info?.index === 0) {
          sink.say('frame', { rtp, block: info.block, index: 0, count: info.count, command: info.command, emitted: Math.round(info.emitted * 1e6), released: Math.round(performance.now() * 1e6) });
        }
        controller.enqueue(frame);
      },
    })).pipeTo(streams.writable);

    let block = 0;
    let queue = [];
    let next = performance.now() + 300;
    let release = next + 100;
    const picture = (info) => {
      const t = info.frame / sink.fps;
      const sky = context.createLinearGradient(0, 0, 0, 704);
      sky.addColorStop(0, '#10142b'); sky.addColorStop(0.62, '#4b3869'); sky.addColorStop(0.63, '#1a1826'); sky.addColorStop(1, '#0a0a12');
      context.fillStyle = sky;
      context.fillRect(0, 0, 1280, 704);
      for (let i = 40; i > 0; i -= 1) {
        const z = i - (t * 4) % 1;
        const s = 900 / (z + 0.4);
        context.strokeStyle = `hsla(${200 + 60 * Math.sin(t * 0.4 + i * 0.15)} 80% 65% / ${Math.min(0.9, 3 / z)})`;
        context.lineWidth = Math.max(1, s / 90);
        context.beginPath();
        context.ellipse(640 + Math.sin(t * 0.9 + i * 0.2) * 900 / (z + 3), 350 + Math.cos(t * 0.7 + i * 0.15) * 260 / (z + 3), s, s * 0.56, t * 0.2 + i * 0.06, 0, 7);
        context.stroke();
      }
      context.fillStyle = '#fff';
      context.font = '600 26px sans-serif';
      context.fillText(`block ${info.block}  frame ${info.frame}`, 40, 660);
    };
    let frame = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      if (now >= next && !sink.hold) {
        for (let index = 0; index < sink.blockSize; index += 1) queue.push({ block, index, count: sink.blockSize, frame: frame++, emitted: now, command: applied });
        applied = nextCommand - 1;
        block += 1;
        next = now + (1000 * sink.blockSize / sink.fps) * (0.85 + 0.3 * Math.random());
        if (queue.length === sink.blockSize) release = Math.max(release, now + sink.latency);
      }
      if (queue.length > 0 && now >= release && !sink.silent) {
        const info = queue.shift();
        picture(info);
        drawn.push(info);
        track.requestFrame();
        release = Math.max(release + 1000 / sink.fps, now - 20);
      }
    }, 4);
    return () => clearInterval(timer);
  }

  async function answer(offer) {
    peer = new RTCPeerConnection({ encodedInsertableStreams: true });
    const connection = peer;
    peer.addEventListener('datachannel', (event) => {
      channel = event.channel;
      channel.addEventListener('open', () => sink.say('state', {}));
      channel.addEventListener('message', ({ data }) => {
        const message = JSON.parse(data);
        sink.received.push(message);
        if (message.scope === 'runtime') {
          if (message.data.type === 'ping') sink.say('pong', {});
          if (message.data.type === 'requestCapabilities') sink.say('modelCapabilities', { commands: sink.commands });
        } else {
          const id = nextCommand++;
          sink.say('accepted', { command: id, ref: message.ref });
          if (message.data.type === 'set_block_size') sink.blockSize = message.data.data.frames;
        }
      });
    });
    stop = generate(peer);
    await peer.setRemoteDescription({ type: 'offer', sdp: offer });
    await peer.setLocalDescription(await peer.createAnswer());
    if (peer.iceGatheringState !== 'complete') {
      await new Promise((resolve) => {
        peer.addEventListener('icegatheringstatechange', () => { if (connection.iceGatheringState === 'complete') resolve(); });
        setTimeout(resolve, 2000);
      });
    }
    return new Response(peer.localDescription.sdp, { status: 201, headers: { 'Content-Type': 'application/sdp', Location: '/whep/fake' } });
  }

  globalThis.fetch = async (resource, options = {}) => {
    const url = new URL(resource, document.baseURI);
    const method = options.method ?? 'GET';
    if (/\/whep/.test(url.pathname)) {
      sink.requests.push({ method, headers: { ...options.headers }, url: url.href });
      if (method === 'DELETE') {
        sink.deleted += 1;
        return json(null, 204);
      }
      if (sink.unreachable) throw new TypeError('Failed to fetch');
      if (sink.refusal) return json(sink.refusal.body, sink.refusal.status);
      return answer(options.body);
    }
    if (url.pathname.endsWith('/stats')) {
      if (sink.unreachable) throw new TypeError('Failed to fetch');
      return json({ pacing: { fps: sink.fps, 'queue-frames': 7, 'queue-time': 290e6, 'latency-mean': 214e6, 'latency-p95': 391e6 } });
    }
    return realFetch(resource, options);
  };
  return sink;
})();
