// SPDX-License-Identifier: LGPL-2.1-or-later

#include "http/request_reader.h"

#include <algorithm>
#include <utility>

namespace reactor::webrtc {

namespace {

constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::size_t kMaxFields = 100;          // header lines of one request
constexpr std::size_t kMaxChunkLineBytes = 256;  // size and extensions of a chunk
constexpr std::size_t kMaxTrailerBytes = 1024;   // trailers are read and dropped
constexpr std::size_t kMaxLengthDigits = 15;     // far beyond any limit, far below an overflow
// Bytes of a request line beside its target: method, two spaces, "HTTP/1.1", CR LF.
constexpr std::size_t kLineExtraBytes = kMaxMethodBytes + 12;

bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// What a URI may consist of after its scheme; '%' is checked where it is decoded.
bool is_target_char(char c) {
  return c > ' ' && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\';
}

// Host and port in their plain form: no user, no path, nothing that two parsers could read
// differently.
bool is_authority(std::string_view text) {
  return text.size() <= 255 && !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
         });
}

}  // namespace

RequestReader::RequestReader(const HttpLimits& limits) : limits_(limits) {}

void RequestReader::refuse(int status, const char* code, std::string message) {
  state_ = State::kRefused;
  refusal_ = {status, code, std::move(message)};
}

bool RequestReader::take_continue() {
  return std::exchange(continue_, false);
}

HttpRequest RequestReader::take() {
  HttpRequest request = std::exchange(request_, {});
  state_ = State::kIdle;
  head_.clear();
  skipped_line_ = continue_ = http_1_0_ = absolute_ = chunked_ = false;
  first_line_bytes_ = remaining_ = trailer_bytes_ = 0;
  chunk_ = Chunk::kSize;
  line_.clear();
  return request;
}

std::size_t RequestReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    if (state_ == State::kIdle) state_ = State::kHead;
    if (state_ == State::kHead)
      used += feed_head(rest);
    else if (state_ == State::kBody)
      used += chunked_ ? feed_chunked(rest) : feed_body(rest);
    else
      break;
  }
  return used;
}

// Takes at most up to the end of the head. Bytes are looked at once, plus three for an end that
// spans two reads.
std::size_t RequestReader::feed_head(std::string_view bytes) {
  // Some clients end a body with a line break too many; one is forgiven.
  if (!skipped_line_ && (head_.empty() || head_ == "\r") &&
      bytes.front() == (head_.empty() ? '\r' : '\n')) {
    head_ += bytes.front();
    if (head_ == "\r\n") {
      head_.clear();
      skipped_line_ = true;
    }
    return 1;
  }
  const std::size_t old = head_.size();
  const std::size_t room = limits_.target_bytes + kLineExtraBytes + limits_.header_bytes + 8;
  const std::string_view fresh = bytes.substr(0, room > old ? room - old : 0);
  head_ += fresh;
  const std::size_t end = head_.find("\r\n\r\n", old > 3 ? old - 3 : 0);
  const bool whole = end != std::string::npos;
  if (whole) head_.resize(end + 2);
  if (check_head(whole) && whole && parse_fields() && parse_framing()) {
    head_.clear();
    if (chunked_ || remaining_ > 0) {
      state_ = State::kBody;
    } else {
      state_ = State::kComplete;
      continue_ = false;
    }
  }
  return whole ? end + 4 - old : fresh.size();
}

// The request line is judged as soon as it is there: what speaks another protocol is told at once.
bool RequestReader::check_first_line() {
  const std::size_t end = head_.find("\r\n");
  const std::size_t bytes = std::min(end, head_.size());
  const std::size_t method = std::min(head_.find(' '), bytes);
  if (method > kMaxMethodBytes) {
    refuse(400, "request-line", "expected a request line such as \"GET / HTTP/1.1\"");
    return false;
  }
  if (bytes > method + 1 + limits_.target_bytes + 10) {  // " HTTP/1.1" and a lone CR
    refuse(414, "target-too-long",
           "the request target is longer than " + std::to_string(limits_.target_bytes) + " bytes");
    return false;
  }
  if (end == std::string::npos) return true;
  first_line_bytes_ = end + 2;
  return parse_request_line(std::string_view(head_).substr(0, end));
}

bool RequestReader::check_head(bool whole) {
  if (first_line_bytes_ == 0 && !check_first_line()) return false;
  // An unfinished head may end in the first half of the line break that ends it.
  const std::size_t most = limits_.header_bytes + (whole ? 0 : 1);
  if (first_line_bytes_ > 0 && head_.size() - first_line_bytes_ > most) {
    refuse(431, "headers-too-large",
           "the header lines are longer than " + std::to_string(limits_.header_bytes) +
               " bytes together");
    return false;
  }
  return true;
}

bool RequestReader::parse_fields() {
  std::string_view rest = std::string_view(head_).substr(first_line_bytes_);
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    if (!parse_field(rest.substr(0, end))) return false;
    rest.remove_prefix(end + 2);
  }
  return true;
}

bool RequestReader::parse_request_line(std::string_view line) {
  const std::size_t a = line.find(' ');
  const std::size_t b = line.rfind(' ');
  if (a == std::string_view::npos || a == b || !is_token(line.substr(0, a))) {
    refuse(400, "request-line", "expected a request line such as \"GET / HTTP/1.1\"");
    return false;
  }
  const std::string_view version = line.substr(b + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    refuse(400, "http-version", "expected HTTP/1.1 or HTTP/1.0");
    return false;
  }
  http_1_0_ = version == "HTTP/1.0";
  request_.keep_alive = !http_1_0_;
  request_.method = line.substr(0, a);
  return parse_target(line.substr(a + 1, b - a - 1));
}

bool RequestReader::parse_target(std::string_view target) {
  if (target.size() > limits_.target_bytes) {
    refuse(414, "target-too-long",
           "the request target is longer than " + std::to_string(limits_.target_bytes) + " bytes");
    return false;
  }
  if (!std::all_of(target.begin(), target.end(), is_target_char)) {
    refuse(400, "target", "the request target has a character that must be percent-encoded");
    return false;
  }
  if (target == "*" && request_.method == "OPTIONS") {
    request_.path = "*";
    return true;
  }
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!equal_nocase(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    if (!is_authority(target.substr(0, end))) {
      refuse(400, "target", "the request target names no valid host");
      return false;
    }
    request_.authority = target.substr(0, end);
    absolute_ = true;
    target.remove_prefix(end);
    if (target.empty() || target.front() == '?') {
      request_.path = "/";
      request_.query = target.empty() ? std::string_view() : target.substr(1);
      return true;
    }
    break;
  }
  if (target.empty() || target.front() != '/') {
    refuse(400, "target", "expected a request target that starts with \"/\"");
    return false;
  }
  const std::size_t mark = std::min(target.find('?'), target.size());
  request_.path = target.substr(0, mark);
  request_.query = mark < target.size() ? target.substr(mark + 1) : std::string_view();
  return true;
}

bool RequestReader::parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name)) {
    refuse(400, "header", "expected header lines such as \"Name: value\", one a line");
    return false;
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
      })) {
    refuse(400, "header", "a header value has a control character");
    return false;
  }
  if (request_.headers.size() >= kMaxFields) {
    refuse(431, "headers-too-large", "more than " + std::to_string(kMaxFields) + " header lines");
    return false;
  }
  request_.headers.push_back({std::string(name), std::string(value)});
  return true;
}

// From the header fields: for whom the request is, how long its body is, what follows it.
bool RequestReader::parse_framing() {
  if (const std::string* host = request_.header("Host")) {
    if (request_.count("Host") > 1 || !is_authority(*host)) {
      refuse(400, "host", "expected one Host header of the form name:port");
      return false;
    }
    if (!absolute_) request_.authority = *host;
  }
  if (const std::string* connection = request_.header("Connection")) {
    for (std::string_view rest = *connection; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view option = trimmed(rest.substr(0, comma));
      if (equal_nocase(option, "close")) request_.keep_alive = false;
      if (equal_nocase(option, "keep-alive") && http_1_0_) request_.keep_alive = true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  const std::string* length = request_.header("Content-Length");
  if (const std::string* coding = request_.header("Transfer-Encoding")) {
    if (length || http_1_0_ || request_.count("Transfer-Encoding") > 1 ||
        !equal_nocase(*coding, "chunked")) {
      refuse(400, "transfer-encoding",
             "expected Content-Length, or \"Transfer-Encoding: chunked\" alone in HTTP/1.1");
      return false;
    }
    chunked_ = true;
  } else if (length) {
    if (request_.count("Content-Length") > 1 || !is_digits(*length)) {
      refuse(400, "content-length", "expected one Content-Length, a number of bytes");
      return false;
    }
    const bool huge = length->size() > kMaxLengthDigits;
    remaining_ = huge ? limits_.body_bytes + 1 : static_cast<std::size_t>(std::stoull(*length));
    if (remaining_ > limits_.body_bytes) {
      refuse(413, "body-too-large",
             "the body is longer than " + std::to_string(limits_.body_bytes) + " bytes");
      return false;
    }
  }
  if (const std::string* expect = request_.header("Expect")) {
    if (!equal_nocase(*expect, "100-continue")) {
      refuse(417, "expectation", "expected no Expect header but \"100-continue\"");
      return false;
    }
    continue_ = !http_1_0_;
  }
  return true;
}

std::size_t RequestReader::feed_body(std::string_view bytes) {
  const std::size_t used = std::min(bytes.size(), remaining_);
  request_.body += bytes.substr(0, used);
  remaining_ -= used;
  if (remaining_ == 0) state_ = State::kComplete;
  return used;
}

std::size_t RequestReader::feed_chunked(std::string_view bytes) {
  if (chunk_ == Chunk::kData) {
    const std::size_t used = std::min(bytes.size(), remaining_);
    request_.body += bytes.substr(0, used);
    remaining_ -= used;
    if (remaining_ == 0) chunk_ = Chunk::kDataEnd;
    return used;
  }
  const std::size_t end = bytes.find('\n');
  const std::size_t used = end == std::string_view::npos ? bytes.size() : end + 1;
  if (line_.size() + used > kMaxChunkLineBytes) {
    refuse(400, "chunk",
           "a chunk-size or trailer line is longer than " + std::to_string(kMaxChunkLineBytes) +
               " bytes");
    return used;
  }
  line_ += bytes.substr(0, used);
  if (end == std::string_view::npos) return used;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
    refuse(400, "chunk", "a line of the chunked body does not end in CR LF");
    return used;
  }
  const std::string line = std::exchange(line_, {});
  chunk_line(std::string_view(line).substr(0, line.size() - 2));
  return used;
}

void RequestReader::chunk_line(std::string_view line) {
  switch (chunk_) {
    case Chunk::kSize: {
      const std::string_view digits = trimmed(line.substr(0, line.find(';')));
      std::size_t size = 0;
      bool valid = !digits.empty() && digits.size() <= 8;
      for (char c : digits) {
        valid = valid && hex_value(c) >= 0;
        size = size * 16 + static_cast<std::size_t>(std::max(hex_value(c), 0));
      }
      if (!valid) {
        refuse(400, "chunk", "expected the size of a chunk in hexadecimal digits");
      } else if (size > limits_.body_bytes - request_.body.size()) {
        refuse(413, "body-too-large",
               "the body is longer than " + std::to_string(limits_.body_bytes) + " bytes");
      } else {
        remaining_ = size;
        chunk_ = size > 0 ? Chunk::kData : Chunk::kTrailer;
      }
      break;
    }
    case Chunk::kDataEnd:
      if (!line.empty())
        refuse(400, "chunk", "a chunk is longer than its size says");
      else
        chunk_ = Chunk::kSize;
      break;
    case Chunk::kTrailer:
      trailer_bytes_ += line.size();
      if (line.empty())
        state_ = State::kComplete;
      else if (trailer_bytes_ > kMaxTrailerBytes)
        refuse(431, "headers-too-large", "the trailers of the chunked body are too long");
      break;
    case Chunk::kData:
      break;
  }
}

}  // namespace reactor::webrtc
