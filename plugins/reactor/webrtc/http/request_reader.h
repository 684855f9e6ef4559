// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cuts a stream of bytes into HTTP/1.x requests, strictly and within bounds.
//
// Pure: no sockets, no clock, no threads. A Connection feeds it what it received and takes whole
// requests out. Nothing but a complete, well-formed request within all limits ever comes out, so
// the routes need not look at framing again.
//
//     idle --first byte--> head --empty line--> body --last byte--> complete --take()--> idle
//       any state --broken or too large--> refused (for good: where the next request starts is
//       unknown)
//
// Strict where leniency has been a hole: lines end in CR LF, no folded lines, no space before a
// colon, one Host, one Content-Length of digits only, never together with Transfer-Encoding, and no
// coding but "chunked".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/config.h"
#include "http/message.h"

namespace reactor::webrtc {

class RequestReader {
 public:
  enum class State { kIdle, kHead, kBody, kComplete, kRefused };

  explicit RequestReader(const HttpLimits& limits);

  // Takes bytes up to the end of the present request and says how many; the rest belongs to the
  // next one.
  std::size_t feed(std::string_view bytes);
  State state() const { return state_; }

  // True once after a head that asks for "100 Continue" before it sends its body.
  bool take_continue();

  // The request, in state kComplete; the reader is idle again afterwards.
  HttpRequest take();

  // Why, in state kRefused.
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class Chunk { kSize, kData, kDataEnd, kTrailer };

  void refuse(int status, const char* code, std::string message);
  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t feed_chunked(std::string_view bytes);
  bool check_first_line();
  bool check_head(bool whole);
  bool parse_fields();
  bool parse_request_line(std::string_view line);
  bool parse_target(std::string_view target);
  bool parse_field(std::string_view line);
  bool parse_framing();
  void chunk_line(std::string_view line);

  const HttpLimits limits_;
  State state_ = State::kIdle;
  Refusal refusal_;
  HttpRequest request_;
  std::string head_;                  // bytes of the head so far
  std::size_t first_line_bytes_ = 0;  // with its line break; 0: not all there
  bool skipped_line_ = false;         // an empty line before the request line was forgiven
  bool continue_ = false;
  bool http_1_0_ = false;
  bool absolute_ = false;  // the target named its own host
  bool chunked_ = false;
  std::size_t remaining_ = 0;  // bytes of the body, or of the present chunk, still to come
  Chunk chunk_ = Chunk::kSize;
  std::string line_;  // a chunk-size or trailer line so far
  std::size_t trailer_bytes_ = 0;
};

}  // namespace reactor::webrtc
