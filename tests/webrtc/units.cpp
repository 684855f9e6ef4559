// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The parts of reactorwebrtcsink that decide without threads, clocks and network: gate, session,
// throttle, outbox, rate limit, offers, candidates, messages. And what bounds a stop: the worker
// and the warm-up. Mutants that these tests must kill stand beside them.

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "candidates.h"
#include "envelope.h"
#include "gate.h"
#include "keyframe.h"
#include "offer.h"
#include "outbox.h"
#include "ratelimit.h"
#include "session.h"
#include "spread.h"
#include "warmup.h"
#include "worker.h"

#include <gst/check/gstcheck.h>  // last: its macros have everyday names

#include "expect.h"

using namespace reactor::webrtc;
using namespace std::chrono_literals;

// ---- the gate ----

static GateLimits limits(std::size_t frames, std::size_t bytes) {
  GateLimits result;
  result.frames = frames;
  result.bytes = bytes;
  return result;
}

static Gate<int> open_gate(std::size_t frames = 3) {
  Gate<int> gate(limits(frames, 1000));
  gate.set_shut(false);
  gate.push(0, true, 1);
  gate.pop();
  return gate;
}

GST_START_TEST(a_gate_opens_with_a_key_frame_only) {
  Gate<int> gate(limits(3, 1000));
  fail_unless_equals_int(static_cast<int>(gate.push(1, true, 1).dropped.size()), 1);  // shut
  fail_unless(gate.set_shut(false).request_key);
  fail_unless_equals_int(static_cast<int>(gate.push(2, false, 1).dropped.size()), 1);
  fail_unless(gate.push(3, true, 1).dropped.empty());
  fail_unless(gate.push(4, false, 1).dropped.empty());
  fail_unless_equals_int(gate.pop(), 3);
  fail_unless_equals_int(gate.pop(), 4);
  fail_unless(gate.empty());
  fail_unless_equals_uint64(gate.counts().waiting, 2);
}
GST_END_TEST

// Mutants: pass the next delta frame after an overflow; drop the key frame that arrives.
GST_START_TEST(an_overflow_closes_the_gate_until_a_key_frame) {
  Gate<int> gate = open_gate();
  for (int i = 1; i <= 3; i++) gate.push(i, false, 1);
  const auto outcome = gate.push(4, false, 1);
  fail_unless_equals_int(static_cast<int>(outcome.dropped.size()), 4);
  fail_if(gate.open());
  fail_unless(gate.empty());
  fail_unless_equals_int(static_cast<int>(gate.push(5, false, 1).dropped.size()), 1);
  fail_unless(gate.push(6, true, 1).dropped.empty());
  fail_unless(gate.push(7, false, 1).dropped.empty());
  fail_unless_equals_int(gate.pop(), 6);
  fail_unless_equals_int(gate.pop(), 7);
  fail_unless_equals_uint64(gate.counts().closings, 1);
}
GST_END_TEST

// Mutant: ask at once, and again with each overflow of a stuck viewer.
GST_START_TEST(a_stuck_viewer_asks_for_one_key_frame_when_it_moves_again) {
  Gate<int> gate = open_gate();
  for (int i = 1; i <= 4; i++) fail_if(gate.push(i, false, 1).request_key);
  for (int i = 0; i < 50; i++) fail_if(gate.push(i, false, 1).request_key);
  fail_unless(gate.moved());
  fail_if(gate.moved(), "asked once");
  gate.push(60, true, 1);
  gate.pop();
  fail_if(gate.moved(), "an open gate asks for nothing");
}
GST_END_TEST

GST_START_TEST(a_key_frame_that_waits_survives_an_overflow) {
  Gate<int> gate = open_gate();
  gate.push(1, true, 1);
  for (int i = 2; i <= 5; i++) gate.push(i, false, 1);
  fail_unless_equals_int(static_cast<int>(gate.frames()), 1);
  fail_unless_equals_int(gate.pop(), 1);
  fail_if(gate.open());
}
GST_END_TEST

GST_START_TEST(bytes_count_as_well_as_frames) {
  Gate<int> gate = open_gate(100);
  gate.push(1, false, 600);
  fail_unless_equals_int(static_cast<int>(gate.push(2, false, 600).dropped.size()), 2);
  fail_unless(gate.push(3, true, 5000).dropped.empty(), "a key frame of any size");
}
GST_END_TEST

GST_START_TEST(what_has_waited_too_long_is_stale_unless_it_is_a_held_picture) {
  Gate<int> moving = open_gate(1000);
  int passed = 0;
  while (moving.push(passed, false, 0, 40'000'000U * static_cast<unsigned>(passed)).dropped.empty())
    passed++;
  fail_unless_equals_int(passed, 11);  // 400 ms at 25 fps
  Gate<int> held = open_gate(1000);
  for (unsigned i = 0; i < 6; i++)  // two a second
    fail_unless(held.push(static_cast<int>(i), false, 0, 500'000'000UL * i).dropped.empty());
}
GST_END_TEST

// Random sequences: whatever happens, what comes out is a key frame or the direct successor of the
// frame before it. Mutants: keep deltas behind a superseded key frame; forget to close.
GST_START_TEST(what_comes_out_can_always_be_decoded) {
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  for (int round = 0; round < 300; round++) {
    Gate<int> gate(limits(static_cast<std::size_t>(g_rand_int_range(random, 1, 6)), 100));
    int last = -10;
    std::vector<bool> keys;
    for (int i = 0; i < 200; i++) {
      if (g_rand_int_range(random, 0, 40) == 0) gate.set_shut(g_rand_boolean(random));
      const bool key = g_rand_int_range(random, 0, 12) == 0;
      keys.push_back(key);
      gate.push(i, key, static_cast<std::size_t>(g_rand_int_range(random, 1, 60)));
      while (!gate.empty() && g_rand_int_range(random, 0, 3) == 0) {
        const int out = gate.pop();
        fail_unless(keys[static_cast<std::size_t>(out)] || out == last + 1, "frame %d after %d",
                    out, last);
        fail_unless(out > last);
        last = out;
        gate.moved();
      }
    }
  }
}
GST_END_TEST

// ---- the session ----

struct Told {
  explicit Told(SessionTime g = 30s) : grace(g) {}
  const SessionTime grace;
  std::vector<std::string> events;
  int ids = 0;
  Session session{grace,
                  5s,
                  [this] { return "s" + std::to_string(++ids); },
                  {[this](const std::string& id) { events.push_back("started " + id); },
                   [this](const std::string& id, const std::string& reason, bool started) {
                     events.push_back("ended " + id + (started ? " " : " unheard ") + reason);
                   }}};
};

GST_START_TEST(a_session_lives_from_the_first_viewer_to_the_grace_after_the_last) {
  Told t;
  t.session.viewer_connected(1s);
  t.session.viewer_connected(2s);
  expect_text(to_string(t.session.state()), "active");
  t.session.viewer_gone(3s);
  fail_if(t.session.deadline().has_value());
  t.session.viewer_gone(4s);
  expect_text(to_string(t.session.state()), "orphaned");
  t.session.tick(33s);
  fail_unless_equals_int(static_cast<int>(t.events.size()), 1);
  t.session.tick(34s);
  fail_unless_equals_int(static_cast<int>(t.events.size()), 2);
  fail_unless(t.events[1].find("ended s1 the last viewer left") == 0);
  expect_text(to_string(t.session.state()), "idle");
}
GST_END_TEST

GST_START_TEST(a_session_without_grace_waits_for_those_who_connect) {
  Told t(0s);
  t.session.open(0s);
  t.session.tick(4s);
  fail_unless(t.events.empty());
  t.session.viewer_connected(4s);
  t.session.viewer_gone(6s);
  t.session.tick(6s);
  fail_unless_equals_int(static_cast<int>(t.events.size()), 2);
  fail_unless(t.events[1].find("ended s1 the last viewer left") == 0);
}
GST_END_TEST

GST_START_TEST(a_viewer_who_comes_back_in_time_finds_the_same_session) {
  Told t;
  t.session.viewer_connected(1s);
  t.session.viewer_gone(2s);
  t.session.viewer_connected(20s);
  t.session.tick(100s);
  fail_unless_equals_int(static_cast<int>(t.events.size()), 1);
  expect_text(t.session.id(), "s1");
}
GST_END_TEST

GST_START_TEST(a_page_that_never_connected_starts_no_model_and_ends_no_session) {
  Told t;
  expect_text(t.session.open(0s), "s1");
  expect_text(t.session.open(1s), "s1");  // idempotent
  t.session.tick(31s);
  fail_unless_equals_int(static_cast<int>(t.events.size()), 1);
  fail_unless(t.events[0].find("ended s1 unheard") == 0);
  t.session.viewer_connected(40s);
  t.session.open(41s);
  fail_if(t.session.deadline().has_value(), "announcing oneself sets no deadline for the others");
}
GST_END_TEST

GST_START_TEST(any_order_of_start_and_stop_leaves_a_working_last_start) {
  Told t;
  t.session.open(0s);
  fail_unless(t.session.stop("a"));
  fail_if(t.session.stop("b"));
  expect_text(t.session.open(0s), "s2");
  t.session.viewer_connected(1s);
  fail_unless(t.session.stop("c"));
  t.session.viewer_gone(1s);  // late: of the session before
  expect_text(t.session.open(1s), "s3");
  t.session.viewer_connected(2s);
  expect_text(t.events.back(), "started s3");
  fail_unless_equals_int(static_cast<int>(t.session.viewers()), 1);
}
GST_END_TEST

// ---- key frames, messages, rates ----

// Mutant: a throttle with a leading edge only.
GST_START_TEST(the_last_wish_of_a_burst_is_served) {
  KeyframeThrottle throttle(400ms);
  fail_unless(throttle.request(0ms));
  fail_if(throttle.request(100ms));
  fail_if(throttle.request(300ms));
  fail_unless(throttle.deadline() == KeyframeThrottle::Time(400ms));
  fail_if(throttle.tick(399ms));
  fail_unless(throttle.tick(400ms));
  fail_if(throttle.deadline().has_value());
  fail_if(throttle.request(700ms));
  fail_unless(throttle.tick(800ms));
  int granted = 0;
  for (int i = 0; i < 3000; i++) {  // 50 a second for a minute
    const auto now = 1000ms + i * 20ms;
    granted += throttle.tick(now);
    granted += throttle.request(now);
  }
  fail_unless(granted >= 145 && granted <= 151, "%d key frames in a minute", granted);
}
GST_END_TEST

GST_START_TEST(a_full_outbox_loses_the_oldest_and_nothing_too_large_is_sent) {
  Outbox box(2, 10);
  const auto text = [](const char* s) { return std::make_shared<const std::string>(s); };
  fail_if(box.put(text("elevenbytes")));
  for (const char* s : {"a", "b", "c"}) box.put(text(s));
  expect_text(box.front(), "b");
  fail_unless_equals_uint64(box.lost(), 1);
  fail_unless_equals_uint64(box.too_large(), 1);
}
GST_END_TEST

GST_START_TEST(a_rate_limit_allows_a_burst_and_then_the_rate) {
  RateLimit limit(100);
  int taken = 0;
  for (int i = 0; i < 1000; i++) taken += limit.take(1s);
  fail_unless_equals_int(taken, 100);
  for (int i = 0; i < 1000; i++) taken += limit.take(1s + std::chrono::milliseconds(i));
  fail_unless(taken >= 198 && taken <= 201, "%d", taken);
}
GST_END_TEST

// Mutants: spread every frame; no bound by the frame's own interval.
GST_START_TEST(large_frames_are_spread_and_ordinary_ones_are_not) {
  fail_unless(spread_gap(24, 24 * 1200, 40ms) == 0ns);
  const auto gap = spread_gap(44, 44 * 1200, 100ms);  // 11 groups
  fail_unless(gap * 11 > 20ms && gap * 11 < 22ms, "at 20 Mbit/s");
  fail_unless(spread_gap(44, 44 * 1200, 33ms) * 11 <= 17ms, "half of the interval");
  fail_unless(spread_gap(400, 400 * 1200, 0ms) * 100 <= 25ms);
}
GST_END_TEST

// ---- candidates ----

GST_START_TEST(hidden_names_become_the_address_of_the_request) {
  CandidateFilter filter({"127.0.0.1", "192.0.2.7"}, "127.0.0.1");
  const auto out = filter.accept(
      "candidate:1 1 udp 2113937151 0f7c2a-11.local 45000 typ host generation 0 ufrag abcd");
  fail_unless(out.has_value());
  expect_text(out->c_str(), "candidate:1 1 udp 2113937151 127.0.0.1 45000 typ host");
  fail_if(filter.accept("candidate:2 1 udp 2113937151 other.local 45000 typ host").has_value(),
          "the same address and port twice");
  fail_unless(filter.accept("a=candidate:2 1 UDP 1 other.local 45001 typ host").has_value());
  fail_unless_equals_int(static_cast<int>(filter.substituted()), 2);
}
GST_END_TEST

GST_START_TEST(candidates_that_nothing_here_can_reach_are_left_out) {
  CandidateFilter loopback({"127.0.0.1"}, "127.0.0.1");
  for (const char* line :
       {"candidate:1 1 udp 1 192.0.2.9 5000 typ host", "candidate:1 1 tcp 1 127.0.0.1 9 typ host",
        "candidate:1 2 udp 1 127.0.0.1 5000 typ host", "candidate:1 1 udp 1 ::1 5000 typ host",
        "candidate:1 1 udp 1 fe80::1 5000 typ host",
        "candidate:1 1 udp 1 example.org 5000 typ host", "candidate:1 1 udp 1 127.0.0.1 0 typ host",
        "candidate:1 1 udp 1 127.0.0.1 99999 typ host",
        "candidate:1 1 udp x 127.0.0.1 5000 typ host", "candidate:", "",
        "candidate:1 1 udp 1 127.0.0.1 5000 type host", "candidate:1 1 udp 1 0.0.0.0 5000 typ host",
        "candidate:1 1 udp 1 127.0.0.1 5000 typ \x01"})
    fail_if(loopback.accept(line).has_value(), "%s", line);
  fail_unless(loopback.accept("candidate:1 1 udp 1 127.0.0.1 5000 typ host").has_value());
  CandidateFilter nowhere({"127.0.0.1"}, "");
  fail_if(nowhere.accept("candidate:1 1 udp 1 a.local 5000 typ host").has_value());
}
GST_END_TEST

GST_START_TEST(candidates_are_gathered_where_the_request_came_in) {
  const auto both = gathering_addresses("::ffff:127.0.0.1", {"192.0.2.7"});
  fail_unless_equals_int(static_cast<int>(both.size()), 2);
  expect_text(both[0], "127.0.0.1");
  fail_unless_equals_int(static_cast<int>(gathering_addresses("192.0.2.7", {"192.0.2.7"}).size()),
                         1);
  fail_unless_equals_int(static_cast<int>(gathering_addresses("", {"192.0.2.7"}).size()), 1);
}
GST_END_TEST

// ---- offers ----

static const char kSession[] =
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    "a=fingerprint:sha-256 "
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:"
    "FF\r\na=setup:actpass\r\n";

static std::string video(const std::string& formats, const std::string& lines, int port = 9) {
  return "m=video " + std::to_string(port) + " UDP/TLS/RTP/SAVPF " + formats +
         "\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\n" + lines;
}

static std::variant<OfferPlan, Refusal> check(const std::string& sdp, Codec codec = Codec::kVp8) {
  CandidateFilter filter({"127.0.0.1"}, "127.0.0.1");
  return check_offer(sdp, codec, filter);
}

static int payload_of(const std::string& sdp, Codec codec) {
  auto result = check(sdp, codec);
  const auto* plan = std::get_if<OfferPlan>(&result);
  return plan ? plan->payload : -1;
}

static int status_of(const std::string& sdp, Codec codec = Codec::kVp8) {
  auto result = check(sdp, codec);
  const auto* refusal = std::get_if<Refusal>(&result);
  return refusal ? refusal->status : 200;
}

GST_START_TEST(the_payload_type_is_the_offers) {
  const std::string sdp =
      std::string(kSession) + video("98 120 99",
                                    "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=2\r\n"
                                    "a=rtpmap:120 vp8/90000\r\na=rtpmap:99 VP9/90000\r\n");
  fail_unless_equals_int(payload_of(sdp, Codec::kVp8), 120);
  fail_unless_equals_int(payload_of(sdp, Codec::kVp9), 99);
}
GST_END_TEST

// In every order the entry with packetization-mode=1 and a constrained-baseline profile is chosen.
GST_START_TEST(the_h264_entry_that_fits_is_chosen_in_every_order) {
  std::vector<std::pair<std::string, std::string>> entries = {
      {"126",
       "a=rtpmap:126 H264/90000\r\na=fmtp:126 "
       "profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1\r\n"},
      {"97", "a=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e01f\r\n"},
      {"105",
       "a=rtpmap:105 H264/90000\r\na=fmtp:105 profile-level-id=640c1f;packetization-mode=1\r\n"}};
  std::sort(entries.begin(), entries.end());
  do {
    std::string formats, lines;
    for (const auto& [pt, text] : entries) {
      formats += (formats.empty() ? "" : " ") + pt;
      lines += text;
    }
    fail_unless_equals_int(payload_of(kSession + video(formats, lines), Codec::kH264), 126);
  } while (std::next_permutation(entries.begin(), entries.end()));
  const std::string mode0 = kSession + video("97", entries.back().second);
  fail_unless_equals_int(status_of(mode0, Codec::kH264), 406);
}
GST_END_TEST

GST_START_TEST(what_cannot_be_answered_is_refused_with_the_reason) {
  const std::string vp8 = "a=rtpmap:96 VP8/90000\r\n";
  fail_unless_equals_int(status_of(kSession + video("96", vp8)), 200);
  fail_unless_equals_int(status_of("hello"), 400);
  fail_unless_equals_int(status_of(""), 400);
  fail_unless_equals_int(status_of(kSession), 422);
  fail_unless_equals_int(status_of(kSession + video("96", vp8, 0)), 422);
  fail_unless_equals_int(status_of(kSession + video("96", vp8 + "a=sendonly\r\n")), 422);
  fail_unless_equals_int(status_of(kSession + video("96", "a=rtpmap:96 VP9/90000\r\n")), 406);
  std::string broken = kSession;
  broken.replace(broken.find("a=ice-pwd"), 9, "a=ice-xxx");
  fail_unless_equals_int(status_of(broken + video("96", vp8)), 400);
  broken = kSession;
  broken.replace(broken.find("00:11"), 5, "00:1g");
  fail_unless_equals_int(status_of(broken + video("96", vp8)), 400);
  fail_unless_equals_int(status_of(kSession + video("96", vp8) + video("96", vp8)), 400);
  std::string many = kSession;
  for (int i = 0; i < 65; i++) many += "m=audio 0 RTP/AVP 0\r\n";
  fail_unless_equals_int(status_of(many), 422);
  std::string candidates = vp8;
  for (int i = 0; i < 65; i++)
    candidates += "a=candidate:1 1 udp 1 127.0.0.1 " + std::to_string(5000 + i) + " typ host\r\n";
  fail_unless_equals_int(status_of(kSession + video("96", candidates)), 422);
  auto result = check(kSession + video("96", "a=rtpmap:96 VP9/90000\r\n"));
  const auto& refusal = std::get<Refusal>(result);
  fail_unless(refusal.message.find("VP8") != std::string::npos &&
              refusal.message.find("VP9") != std::string::npos);
}
GST_END_TEST

// Payload types that GStreamer's payloaders do not take, and an order of m-lines that webrtcbin
// does not survive.
GST_START_TEST(what_gstreamer_cannot_answer_never_reaches_it) {
  fail_unless_equals_int(status_of(kSession + video("35", "a=rtpmap:35 VP8/90000\r\n")), 406);
  fail_unless_equals_int(
      payload_of(kSession + video("35 97", "a=rtpmap:35 VP8/90000\r\na=rtpmap:97 VP8/90000\r\n"),
                 Codec::kVp8),
      97);
  const std::string channel =
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n";
  const std::string picture = video("96", "a=rtpmap:96 VP8/90000\r\n");
  const auto bundled = [](const char* mids) {
    std::string session = kSession;
    return session.replace(session.find("BUNDLE 0"), 8, std::string("BUNDLE ") + mids);
  };
  fail_unless_equals_int(status_of(bundled("0 1") + channel + picture), 422);
  fail_unless_equals_int(
      status_of(bundled("0") + "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n" +
                picture),
      422);
  fail_unless_equals_int(status_of(bundled("1 0") + channel + picture), 200);
  fail_unless_equals_int(status_of(bundled("0 1") + picture + channel), 200);
}
GST_END_TEST

// webrtcbin reports an ssrc of 0 as an error of its own.
GST_START_TEST(the_viewers_own_sources_are_not_looked_at) {
  const std::string lines =
      "a=ssrc:0 cname:x\r\na=rtpmap:96 VP8/90000\r\na=ssrc-group:FID 0 7\r\n"
      "a=ssrc:7 msid:a b\r\na=ssrc\r\n";
  auto result = check(std::string(kSession) + video("96", lines));
  const auto* plan = std::get_if<OfferPlan>(&result);
  fail_unless(plan != nullptr);
  g_autofree gchar* text = gst_sdp_message_as_text(plan->sdp.get());
  fail_unless(strstr(text, "ssrc") == nullptr, "%s", text);
  fail_unless(strstr(text, "a=rtpmap:96 VP8/90000\r\n") != nullptr, "%s", text);
}
GST_END_TEST

// Bytes changed, cut and doubled at random: an answer or a refusal, never a crash, never a 5xx.
GST_START_TEST(broken_offers_of_all_kinds_are_survived) {
  const std::string good =
      kSession +
      video("96", "a=rtpmap:96 VP8/90000\r\na=candidate:1 1 udp 1 x.local 5000 typ host\r\n") +
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n"
      "a=max-message-size:16384\r\n";
  auto result = check(good);
  fail_unless(std::get<OfferPlan>(result).data_channel);
  fail_unless_equals_int(static_cast<int>(std::get<OfferPlan>(result).max_message), 16384);
  g_autoptr(GRand) random = g_rand_new_with_seed(11);
  for (int i = 0; i < 5000; i++) {
    std::string sdp = good;
    for (int n = g_rand_int_range(random, 1, 6); n > 0; n--) {
      const auto at =
          static_cast<std::size_t>(g_rand_int_range(random, 0, static_cast<gint>(sdp.size())));
      switch (g_rand_int_range(random, 0, 4)) {
        case 0:
          sdp[at] = static_cast<char>(g_rand_int_range(random, 0, 256));
          break;
        case 1:
          sdp.erase(at, static_cast<std::size_t>(g_rand_int_range(random, 1, 40)));
          break;
        case 2:
          sdp.insert(at,
                     sdp.substr(at, static_cast<std::size_t>(g_rand_int_range(random, 1, 200))));
          break;
        default:
          sdp.resize(at);
      }
      if (sdp.empty()) break;
    }
    const int status = status_of(sdp);
    fail_unless(status == 200 || (status >= 400 && status < 500), "%d", status);
  }
}
GST_END_TEST

// ---- messages ----

GST_START_TEST(a_command_reaches_the_model_byte_for_byte) {
  const auto incoming = parse_message(
      "{ \"scope\":\"application\", \"ref\" : \"a\\\"b\", \"data\" : "
      "{\"x\":[1,{\"data\":2}],\"type\":\"go\","
      "\"data\":{\"v\": 1.10e2, \"t\":\"\\u00e4\"}} }");
  const auto* command = std::get_if<Command>(&incoming);
  fail_unless(command != nullptr);
  expect_text(command->json, "{\"type\":\"go\",\"data\":{\"v\": 1.10e2, \"t\":\"\\u00e4\"}}");
  expect_text(command->ref, "\"a\\\"b\"");
}
GST_END_TEST

static std::string code_of(const std::string& text) {
  const auto incoming = parse_message(text);
  const auto* bad = std::get_if<BadMessage>(&incoming);
  return bad ? bad->refusal.code : "";
}

GST_START_TEST(what_is_no_message_is_refused_with_a_code) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "json"},
      {"[]", "json"},
      {"{\"scope\":\"application\"", "json"},
      {"{\"a\":1,\"a\":2}", "json"},
      {"{}", "scope"},
      {"{\"scope\":\"other\",\"data\":{}}", "scope"},
      {"{\"scope\":\"application\",\"data\":{}}", "command"},
      {"{\"scope\":\"application\",\"data\":[1]}", "command"},
      {"{\"scope\":\"application\",\"data\":{\"type\":7}}", "command"},
      {"{\"scope\":\"runtime\",\"data\":{}}", "runtime"},
      {"{\"scope\":\"application\",\"data\":{\"type\":\"x\"},\"ref\":{}}", "ref"},
      {"{\"scope\":\"application\",\"data\":{\"type\":\"x\"},\"ref\":1.5}", "ref"}};
  for (const auto& [text, code] : cases)
    fail_unless(code_of(text) == code, "%s: %s", text, code_of(text).c_str());
  const auto ping =
      parse_message("{\"scope\":\"runtime\",\"data\":{\"type\":\"ping\",\"data\":{\"n\":1}}}");
  expect_text(std::get<Ping>(ping).data, "{\"n\":1}");
  fail_unless(std::holds_alternative<Ignored>(
      parse_message("{\"scope\":\"runtime\",\"data\":{\"type\":\"news\"}}")));
}
GST_END_TEST

// The limit is of the value: 64 KiB exactly pass, one byte more does not, whatever the envelope.
GST_START_TEST(the_limit_is_of_the_value) {
  const auto message = [](std::size_t size) {
    const std::string head = "{\"type\":\"x\",\"data\":\"";
    return "{\"scope\":\"application\",\"data\":" + head +
           std::string(size - head.size() - 2, 'a') + "\"}}";
  };
  expect_text(code_of(message(65536)), "");
  expect_text(code_of(message(65537)), "too-large");
  expect_text(code_of(std::string(100000, '[')), "too-large");
  expect_text(code_of(std::string(60000, '[')), "json");
}
GST_END_TEST

GST_START_TEST(what_we_send_is_json_whatever_it_quotes) {
  expect_text(json_quoted("a\"b\\\n\x01"), "\"a\\\"b\\\\\\u000a\\u0001\"");
  expect_text(accepted_message(4, "\"r\""),
              "{\"scope\":\"runtime\",\"data\":{\"type\":\"accepted\",\"data\":{"
              "\"command\":4,\"ref\":\"r\"}}}");
  expect_text(parse_control("{\"type\":\"request\",\"method\":\"publish_track\","
                            "\"request_id\":\"q1\",\"data\":{}}")
                  .request_id,
              "\"q1\"");
  expect_text(parse_control("nonsense").event, "");
}
GST_END_TEST

// ---- the worker ----

GST_START_TEST(a_worker_runs_what_waits_and_then_stops) {
  Worker worker("test");
  int ran = 0;
  for (int i = 0; i < 100; i++) worker.post([&ran] { ran++; });
  worker.stop();
  fail_unless_equals_int(ran, 100);
  fail_if(worker.post([] {}));
  worker.stop();
}
GST_END_TEST

// Mutants: join in the own thread; run what waits after the stop.
GST_START_TEST(a_worker_may_be_destroyed_by_its_own_task) {
  auto worker = std::make_unique<Worker>("test");
  auto waiting = std::make_shared<std::atomic<bool>>(false);
  std::promise<void> posted;
  std::promise<void> gone;
  worker->post([&] {
    posted.get_future().wait();
    worker.reset();
    gone.set_value();
  });
  worker->post([waiting] { *waiting = true; });
  posted.set_value();
  fail_unless(gone.get_future().wait_for(5s) == std::future_status::ready);
  // What waited was dropped, with all that it held.
  fail_unless_equals_int(static_cast<int>(waiting.use_count()), 1);
  fail_if(*waiting);
}
GST_END_TEST

// Mutant: wait for the task for ever.
GST_START_TEST(a_stop_outlasts_a_task_that_waits_for_it) {
  std::promise<void> stopped;
  std::promise<bool> saw;
  std::shared_future<void> end = stopped.get_future().share();
  {
    Worker worker("test", 50ms);
    worker.post([&saw, end] { saw.set_value(end.wait_for(5s) == std::future_status::ready); });
    worker.stop();
  }
  stopped.set_value();
  fail_unless(saw.get_future().get());
}
GST_END_TEST

// ---- the warm-up ----

// A webrtcbin that never answers.
struct Mute {
  GstElement parent;
};
struct MuteClass {
  GstElementClass parent;
};
GType mute_get_type();
G_DEFINE_TYPE(Mute, mute, GST_TYPE_ELEMENT)

static void mute_class_init(MuteClass* klass) {
  const GType type = G_TYPE_FROM_CLASS(klass);
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Mute", "Test", "Says nothing",
                                        "Reactor for GStreamer");
  g_signal_new("add-transceiver", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
               G_TYPE_POINTER, 2, G_TYPE_INT, G_TYPE_POINTER);
  g_signal_new("create-offer", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE,
               2, G_TYPE_POINTER, G_TYPE_POINTER);
}

Mute* stuck = nullptr;  // it is left as it is, and is no leak

static void mute_init(Mute* self) {
  stuck = self;
}

// Mutant: wait for the offer for ever.
GST_START_TEST(a_warm_up_ends_when_webrtcbin_does_not_answer) {
  fail_unless(gst_element_register(nullptr, "webrtcbin", GST_RANK_NONE, mute_get_type()));
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> end = done->get_future();
  std::thread([done] {
    warm_up(50ms);
    done->set_value();
  }).detach();
  fail_unless(end.wait_for(5s) == std::future_status::ready);
}
GST_END_TEST

int main(int argc, char** argv) {
  gst_check_init(&argc, &argv);
  Suite* suite = suite_create("units");
  TCase* tc = tcase_create("units");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, a_gate_opens_with_a_key_frame_only);
  tcase_add_test(tc, an_overflow_closes_the_gate_until_a_key_frame);
  tcase_add_test(tc, a_stuck_viewer_asks_for_one_key_frame_when_it_moves_again);
  tcase_add_test(tc, a_key_frame_that_waits_survives_an_overflow);
  tcase_add_test(tc, bytes_count_as_well_as_frames);
  tcase_add_test(tc, what_has_waited_too_long_is_stale_unless_it_is_a_held_picture);
  tcase_add_test(tc, what_comes_out_can_always_be_decoded);
  tcase_add_test(tc, a_session_lives_from_the_first_viewer_to_the_grace_after_the_last);
  tcase_add_test(tc, a_session_without_grace_waits_for_those_who_connect);
  tcase_add_test(tc, a_viewer_who_comes_back_in_time_finds_the_same_session);
  tcase_add_test(tc, a_page_that_never_connected_starts_no_model_and_ends_no_session);
  tcase_add_test(tc, any_order_of_start_and_stop_leaves_a_working_last_start);
  tcase_add_test(tc, the_last_wish_of_a_burst_is_served);
  tcase_add_test(tc, a_full_outbox_loses_the_oldest_and_nothing_too_large_is_sent);
  tcase_add_test(tc, a_rate_limit_allows_a_burst_and_then_the_rate);
  tcase_add_test(tc, large_frames_are_spread_and_ordinary_ones_are_not);
  tcase_add_test(tc, hidden_names_become_the_address_of_the_request);
  tcase_add_test(tc, candidates_that_nothing_here_can_reach_are_left_out);
  tcase_add_test(tc, candidates_are_gathered_where_the_request_came_in);
  tcase_add_test(tc, the_payload_type_is_the_offers);
  tcase_add_test(tc, the_h264_entry_that_fits_is_chosen_in_every_order);
  tcase_add_test(tc, what_cannot_be_answered_is_refused_with_the_reason);
  tcase_add_test(tc, what_gstreamer_cannot_answer_never_reaches_it);
  tcase_add_test(tc, the_viewers_own_sources_are_not_looked_at);
  tcase_add_test(tc, broken_offers_of_all_kinds_are_survived);
  tcase_add_test(tc, a_command_reaches_the_model_byte_for_byte);
  tcase_add_test(tc, what_is_no_message_is_refused_with_a_code);
  tcase_add_test(tc, the_limit_is_of_the_value);
  tcase_add_test(tc, what_we_send_is_json_whatever_it_quotes);
  tcase_add_test(tc, a_worker_runs_what_waits_and_then_stops);
  tcase_add_test(tc, a_worker_may_be_destroyed_by_its_own_task);
  tcase_add_test(tc, a_stop_outlasts_a_task_that_waits_for_it);
  tcase_add_test(tc, a_warm_up_ends_when_webrtcbin_does_not_answer);
  return gst_check_run_suite(suite, "units", __FILE__);
}
