// SPDX-License-Identifier: LGPL-2.1-or-later

#include "offer.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace reactor::webrtc {

namespace {

Refusal broken(std::string what) {
  return {400, "bad-sdp", "not a usable SDP offer: " + std::move(what)};
}

Refusal unusable(std::string code, std::string what) {
  return {422, std::move(code), std::move(what)};
}

std::string_view text(const char* s) {
  return s ? std::string_view(s) : std::string_view();
}

std::optional<unsigned> number(std::string_view s) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

// The value of an attribute of the m-line, or of the session when the m-line has none.
std::string_view attribute(const GstSDPMessage* sdp, const GstSDPMedia* media, const char* key) {
  if (const char* value = gst_sdp_media_get_attribute_val(media, key)) return value;
  return text(gst_sdp_message_get_attribute_val(sdp, key));
}

bool has_attribute(const GstSDPMedia* media, const char* key) {
  return gst_sdp_media_get_attribute_val(media, key) != nullptr;
}

// The attribute "key:P value" of payload type P: what stands after P.
std::string_view format_attribute(const GstSDPMedia* media, const char* key, std::string_view pt) {
  for (guint i = 0; i < gst_sdp_media_attributes_len(media); i++) {
    const GstSDPAttribute* a = gst_sdp_media_get_attribute(media, i);
    if (text(a->key) != key) continue;
    const std::string_view value = text(a->value);
    if (value.size() > pt.size() && value.substr(0, pt.size()) == pt && value[pt.size()] == ' ')
      return value.substr(pt.size() + 1);
  }
  return {};
}

// The value of "name=value" in an fmtp line.
std::string_view fmtp_parameter(std::string_view fmtp, std::string_view name) {
  while (!fmtp.empty()) {
    const std::size_t end = std::min(fmtp.find(';'), fmtp.size());
    std::string_view item = fmtp.substr(0, end);
    fmtp.remove_prefix(std::min(end + 1, fmtp.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\r')) item.remove_suffix(1);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos || item.substr(0, equals).size() != name.size()) continue;
    if (strncasecmp(item.data(), name.data(), name.size()) == 0) return item.substr(equals + 1);
  }
  return {};
}

// How well an H.264 format suits a constrained-baseline stream, 0 for not at all. Decoders of Main
// and High decode it too, those of Extended need not.
int h264_rank(std::string_view fmtp) {
  if (fmtp_parameter(fmtp, "packetization-mode") != "1") return 0;
  const std::string_view level = fmtp_parameter(fmtp, "profile-level-id");
  if (level.empty()) return 3;  // the default is baseline
  if (level.size() != 6) return 0;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(level.data(), level.data() + 6, value, 16);
  if (error != std::errc() || end != level.data() + 6) return 0;
  const unsigned profile = value >> 16;
  const unsigned constraints = (value >> 8) & 0xff;
  if (profile == 0x42) return constraints & 0x40 ? 4 : 3;
  if (profile == 0x4d) return 2;
  if (profile == 0x64) return 1;
  return 0;
}

int vp9_rank(std::string_view fmtp) {
  const std::string_view profile = fmtp_parameter(fmtp, "profile-id");
  return profile.empty() || profile == "0" ? 1 : 0;  // 8 bit, 4:2:0
}

// What GStreamer's payloaders accept.
constexpr unsigned kFirstPayload = 96, kLastPayload = 127;

struct Choice {
  int payload = -1;
  std::string offered;  // codecs of the m-line, for the error text
};

Choice choose_payload(const GstSDPMedia* media, Codec codec) {
  Choice choice;
  int best = 0;
  std::set<std::string> names;
  for (guint i = 0; i < gst_sdp_media_formats_len(media); i++) {
    const std::string_view pt = text(gst_sdp_media_get_format(media, i));
    const auto value = number(pt);
    if (!value || *value > kLastPayload) continue;
    const std::string_view rtpmap = format_attribute(media, "rtpmap", pt);
    const std::size_t slash = rtpmap.find('/');
    if (slash == std::string_view::npos) continue;
    std::string name(rtpmap.substr(0, slash));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return static_cast<char>(g_ascii_toupper(c)); });
    if (name != "RTX" && name != "RED" && name != "ULPFEC" && name != "FLEXFEC-03" &&
        names.size() < 16 && name.size() <= 32)
      names.insert(name);
    if (name != names_of(codec).rtpmap) continue;
    if (*value < kFirstPayload) {
      names.insert(name + " with payload type " + std::to_string(*value) +
                   " (96 to 127 is needed)");
      continue;
    }
    if (rtpmap.substr(slash + 1, 5) != "90000") continue;
    const std::string_view fmtp = format_attribute(media, "fmtp", pt);
    const int rank = codec == Codec::kH264  ? h264_rank(fmtp)
                     : codec == Codec::kVp9 ? vp9_rank(fmtp)
                                            : 1;
    if (rank > best) {
      best = rank;
      choice.payload = static_cast<int>(*value);
    }
  }
  for (const std::string& name : names)
    choice.offered += (choice.offered.empty() ? "" : ", ") + name;
  return choice;
}

// Port 0 is a refused m-line, unless it rides in the bundle's transport alone (RFC 8843).
bool bundle_only(const GstSDPMedia* media) {
  return gst_sdp_media_get_port(media) == 0 && has_attribute(media, "bundle-only");
}

bool refused(const GstSDPMedia* media) {
  return gst_sdp_media_get_port(media) == 0 && !bundle_only(media);
}

bool wants_video(const GstSDPMessage* sdp, const GstSDPMedia* media) {
  if (text(gst_sdp_media_get_media(media)) != "video") return false;
  for (const char* direction : {"sendonly", "inactive"})
    if (has_attribute(media, direction)) return false;
  if (has_attribute(media, "recvonly") || has_attribute(media, "sendrecv")) return true;
  return !gst_sdp_message_get_attribute_val(sdp, "sendonly") &&
         !gst_sdp_message_get_attribute_val(sdp, "inactive");
}

bool fingerprint_ok(std::string_view value) {
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view hash = value.substr(0, space);
  const std::map<std::string_view, std::size_t> bytes = {
      {"sha-1", 20}, {"sha-224", 28}, {"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}};
  std::string name(hash);
  std::transform(name.begin(), name.end(), name.begin(), g_ascii_tolower);
  const auto known = bytes.find(name);
  if (known == bytes.end()) return false;
  const std::string_view digits = value.substr(space + 1);
  if (digits.size() != known->second * 3 - 1) return false;
  for (std::size_t i = 0; i < digits.size(); i++)
    if (i % 3 == 2 ? digits[i] != ':' : !g_ascii_isxdigit(digits[i])) return false;
  return true;
}

// What every m-line that is to carry something must have; nothing when it has it.
std::optional<Refusal> check_transport(const GstSDPMessage* sdp, const GstSDPMedia* media,
                                       guint index) {
  const std::string where = " in m-line " + std::to_string(index);
  const std::string_view ufrag = attribute(sdp, media, "ice-ufrag");
  const std::string_view pwd = attribute(sdp, media, "ice-pwd");
  // RFC 8839: at least 4 and 22 characters, at most 256.
  if (ufrag.size() < 4 || ufrag.size() > 256) return broken("no valid a=ice-ufrag" + where);
  if (pwd.size() < 22 || pwd.size() > 256) return broken("no valid a=ice-pwd" + where);
  if (!fingerprint_ok(attribute(sdp, media, "fingerprint")))
    return broken("no valid a=fingerprint" + where);
  const std::string_view setup = attribute(sdp, media, "setup");
  if (setup != "actpass" && setup != "active" && setup != "passive")
    return broken("a=setup must be actpass, active or passive" + where);
  return std::nullopt;
}

CapsPtr rtp_caps(const GstSDPMedia* media, Codec codec, int payload) {
  GstCaps* caps =
      gst_caps_new_simple("application/x-rtp", "media", G_TYPE_STRING, "video", "encoding-name",
                          G_TYPE_STRING, names_of(codec).rtpmap, "clock-rate", G_TYPE_INT, 90000,
                          "payload", G_TYPE_INT, payload, nullptr);
  if (codec == Codec::kH264)
    gst_caps_set_simple(caps, "packetization-mode", G_TYPE_STRING, "1", nullptr);
  return CapsPtr(caps);
}

// Takes out of one m-line what webrtcbin must not see, and rewrites the candidates in place;
// returns how many of these there were.
unsigned filter_attributes(GstSDPMedia* media, CandidateFilter& filter) {
  // webrtcbin 1.22 has no notion of the end of candidates. Nothing of the viewer's media is
  // received here, and webrtcbin takes an ssrc that is no number above 0 for an error of its own.
  // From the end: what stands behind a removed one is moved.
  for (guint i = gst_sdp_media_attributes_len(media); i-- > 0;) {
    const std::string_view key = text(gst_sdp_media_get_attribute(media, i)->key);
    if (key == "end-of-candidates" || key == "ssrc" || key == "ssrc-group")
      gst_sdp_media_remove_attribute(media, i);
  }
  unsigned seen = 0;
  guint i = 0;
  while (i < gst_sdp_media_attributes_len(media)) {
    const GstSDPAttribute* a = gst_sdp_media_get_attribute(media, i);
    if (text(a->key) != "candidate") {
      i++;
      continue;
    }
    seen++;
    const auto accepted = filter.accept(text(a->value));
    if (!accepted) {
      gst_sdp_media_remove_attribute(media, i);
      continue;
    }
    GstSDPAttribute replacement;
    gst_sdp_attribute_set(&replacement, "candidate", accepted->c_str() + strlen("candidate:"));
    gst_sdp_media_replace_attribute(media, i, &replacement);
    i++;
  }
  return seen;
}

// Whether an m-line of application stands before the one that the BUNDLE group begins with.
// webrtcbin makes the transport of the group's first m-line when it gets there, and ends the
// process when a data channel needs it before.
bool channel_before_bundle(const GstSDPMessage* sdp) {
  for (guint i = 0;; i++) {
    const char* group = gst_sdp_message_get_attribute_val_n(sdp, "group", i);
    if (!group) return false;
    std::string_view mids = text(group);
    if (mids.substr(0, 7) != "BUNDLE ") continue;
    mids.remove_prefix(7);
    while (!mids.empty() && mids.front() == ' ') mids.remove_prefix(1);
    const std::string_view first = mids.substr(0, mids.find_first_of(" \r"));
    bool channel = false;
    for (guint line = 0; line < gst_sdp_message_medias_len(sdp); line++) {
      const GstSDPMedia* media = gst_sdp_message_get_media(sdp, line);
      if (text(gst_sdp_media_get_attribute_val(media, "mid")) == first) break;
      channel = channel || text(gst_sdp_media_get_media(media)) == "application";
    }
    if (channel) return true;
  }
}

}  // namespace

std::variant<OfferPlan, Refusal> check_offer(const std::string& sdp, Codec codec,
                                             CandidateFilter& filter, const OfferLimits& limits) {
  if (sdp.size() > limits.bytes)
    return Refusal{413, "too-large",
                   "the offer has " + std::to_string(sdp.size()) + " bytes, at most " +
                       std::to_string(limits.bytes) + " are accepted"};
  if (sdp.compare(0, 4, "v=0\r") != 0 && sdp.compare(0, 4, "v=0\n") != 0)
    return broken("it must begin with the line v=0");
  if (sdp.find('\0') != std::string::npos) return broken("it contains a NUL byte");
  if (!g_utf8_validate(sdp.data(), static_cast<gssize>(sdp.size()), nullptr))
    return broken("it is not UTF-8");
  GstSDPMessage* parsed = nullptr;
  gst_sdp_message_new(&parsed);
  SdpPtr message(parsed);
  if (gst_sdp_message_parse_buffer(reinterpret_cast<const guint8*>(sdp.data()),
                                   static_cast<guint>(sdp.size()), parsed) != GST_SDP_OK)
    return broken("it cannot be parsed");

  const guint medias = gst_sdp_message_medias_len(parsed);
  if (medias == 0) return unusable("no-video", "the offer has no m-line: one of video is needed");
  if (medias > limits.media)
    return unusable("too-many-media", "the offer has " + std::to_string(medias) +
                                          " m-lines, at most " + std::to_string(limits.media) +
                                          " are accepted");

  OfferPlan plan;
  std::optional<guint> video;
  std::string offered;
  unsigned candidates = 0;
  std::set<std::string> mids;
  bool saw_video = false;
  bool transport = false;  // some m-line has one
  for (guint i = 0; i < medias; i++) {
    const GstSDPMedia* media = gst_sdp_message_get_media(parsed, i);
    const std::string_view kind = text(gst_sdp_media_get_media(media));
    if (kind == "video") saw_video = true;
    if (refused(media)) continue;
    const std::string mid(text(gst_sdp_media_get_attribute_val(media, "mid")));
    if (mid.empty() || mid.size() > 64)
      return broken("no valid a=mid in m-line " + std::to_string(i));
    if (!mids.insert(mid).second) return broken("a=mid:" + mid + " stands in two m-lines");
    if (!bundle_only(media)) {
      if (auto refusal = check_transport(parsed, media, i)) return *refusal;
      transport = true;
    }
    if (kind == "application") {
      const std::string_view protocol = text(gst_sdp_media_get_proto(media));
      if (protocol != "UDP/DTLS/SCTP" && protocol != "TCP/DTLS/SCTP") continue;
      if (!number(text(gst_sdp_media_get_attribute_val(media, "sctp-port"))))
        return broken("no a=sctp-port in m-line " + std::to_string(i));
      plan.data_channel = true;
      if (const char* size = gst_sdp_media_get_attribute_val(media, "max-message-size")) {
        const auto value = number(size);
        if (!value) return broken("a=max-message-size is not a number");
        plan.max_message = *value;
      }
      continue;
    }
    if (!wants_video(parsed, media) || video) continue;
    const Choice choice = choose_payload(media, codec);
    if (choice.payload < 0) {
      offered += (offered.empty() ? "" : ", ") + choice.offered;
      continue;
    }
    video = i;
    plan.mid = mid;
    plan.payload = choice.payload;
    plan.caps = rtp_caps(media, codec, choice.payload);
  }
  for (guint i = 0; i < medias; i++) {
    auto* media = const_cast<GstSDPMedia*>(gst_sdp_message_get_media(parsed, i));
    candidates += filter_attributes(media, filter);
  }
  if (candidates > limits.candidates)
    return unusable("too-many-candidates", "the offer has " + std::to_string(candidates) +
                                               " candidates, at most " +
                                               std::to_string(limits.candidates) + " are accepted");
  if (!video && !offered.empty())
    return Refusal{
        406, "no-common-codec",
        std::string("this stream is ") + names_of(codec).rtpmap +
            (codec == Codec::kH264 ? " (packetization-mode=1, constrained baseline)" : "") +
            ", the offer has " + offered +
            ": offer it, or set the sink's property codec to one of these"};
  if (!video)
    return unusable("no-video", saw_video
                                    ? "no video m-line of the offer can receive: one that is "
                                      "recvonly or sendrecv, with a port that is not 0, is needed"
                                    : "the offer has no m-line of video: add a transceiver that "
                                      "receives video");
  if (!transport) return broken("every m-line is bundle-only");
  if (channel_before_bundle(parsed))
    return unusable(
        "bundle-order",
        "the first mid of a=group:BUNDLE names an m-line that one of application precedes: "
        "list the mids in the order of the m-lines");
  plan.video = *video;
  plan.candidates = filter.accepted();
  plan.sdp = std::move(message);
  return plan;
}

}  // namespace reactor::webrtc
