// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The request reader: what it lets through, what it refuses and how, in whatever pieces the bytes
// come.
#include "http/request_reader.h"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/wire/check.h"

using namespace reactor::webrtc;  // NOLINT: a test of that namespace
using State = RequestReader::State;
using namespace std::string_literals;

namespace {

// Feeds `bytes` in pieces of `piece` and returns the requests; `status` is that of the refusal, 0
// if none.
std::vector<HttpRequest> read_all(std::string_view bytes, std::size_t piece, int* status,
                                  const HttpLimits& limits = {}) {
  RequestReader reader(limits);
  std::vector<HttpRequest> out;
  *status = 0;
  std::string pending;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    pending += bytes.substr(at, piece);
    while (!pending.empty()) {
      const std::size_t used = reader.feed(pending);
      pending.erase(0, used);
      if (reader.state() == State::kRefused) {
        *status = reader.refusal().status;
        if (reader.refusal().code.empty() || reader.refusal().message.empty())
          FAIL("a refusal without a reason");
        return out;
      }
      if (reader.state() == State::kComplete)
        out.push_back(reader.take());
      else if (used == 0)
        FAIL("no progress at %zu bytes", pending.size());
    }
  }
  return out;
}

HttpRequest good(std::string_view bytes) {
  HttpRequest first;
  for (std::size_t piece : {1000000u, 1u, 2u, 3u, 7u}) {
    int status = 0;
    auto got = read_all(bytes, piece, &status);
    if (status != 0 || got.size() != 1)
      FAIL("«%.*s» in pieces of %zu: status %d, %zu requests", static_cast<int>(bytes.size()),
           bytes.data(), piece, status, got.size());
    if (piece != 1000000u) {
      CHECK(got[0].body == first.body);
      CHECK(got[0].path == first.path);
      CHECK(got[0].headers.size() == first.headers.size());
    }
    first = got[0];
  }
  return first;
}

void bad(std::string_view bytes, int status, const HttpLimits& limits = {}) {
  for (std::size_t piece : {1000000u, 1u, 5u}) {
    int got = 0;
    const auto requests = read_all(bytes, piece, &got, limits);
    if (got != status || !requests.empty())
      FAIL("«%.200s» in pieces of %zu: status %d, not %d", std::string(bytes).c_str(), piece, got,
           status);
  }
}

void requests_come_out_whole() {
  const HttpRequest r = good(
      "POST /a/b?c=d HTTP/1.1\r\nHost: localhost:80\r\nX-Empty:\r\nx-Spaces: \t two words \t\r\n"
      "Content-Length: 5\r\n\r\nhello");
  CHECK(r.method == "POST" && r.path == "/a/b" && r.query == "c=d" && r.body == "hello");
  CHECK(r.authority == "localhost:80" && r.keep_alive);
  CHECK(*r.header("X-EMPTY") == "" && *r.header("X-Spaces") == "two words");
  CHECK(!r.header("None") && r.count("host") == 1);
  CHECK(good("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").path == "/");
  CHECK(good("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path == "*");
  CHECK(good("GET /%C3%A9?%00 HTTP/1.1\r\nHost: a\r\n\r\n").path == "/%C3%A9");
}

void absolute_targets_name_their_own_host() {
  HttpRequest r = good("GET http://other:81/x?y HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(r.authority == "other:81" && r.path == "/x" && r.query == "y");
  r = good("GET HTTPS://other HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(r.authority == "other" && r.path == "/");
  r = good("GET http://other?q HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(r.path == "/" && r.query == "q");
  bad("GET http://user@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400);
  bad("GET http:///x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400);
  bad("GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400);
}

void connections_are_kept_as_the_version_says() {
  CHECK(!good("GET / HTTP/1.0\r\n\r\n").keep_alive);
  CHECK(good("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
  CHECK(!good("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
  CHECK(!good("GET / HTTP/1.1\r\nHost: a\r\nConnection: x , Close\r\n\r\n").keep_alive);
  CHECK(good("GET / HTTP/1.0\r\n\r\n").authority.empty());
}

void chunked_bodies_are_put_together() {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
  CHECK(good(head + "5\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n").body ==
        "hello0123456789");
  CHECK(good(head + "0\r\nTrailer: x\r\n\r\n").body.empty());
  CHECK(good(head + "00000001 \r\na\r\n0\r\n\r\n").body == "a");
  bad(head + "\r\n", 400);
  bad(head + "x\r\n", 400);
  bad(head + "-1\r\n", 400);
  bad(head + "0x5\r\nhello\r\n0\r\n\r\n", 400);
  bad(head + "5\nhello\r\n0\r\n\r\n", 400);
  bad(head + "5\r\nhelloX\r\n0\r\n\r\n", 400);
  bad(head + "000000005\r\nhello\r\n0\r\n\r\n", 400);
  bad(head + "ffffffff\r\n", 413);
  bad(head + std::string(300, '1'), 400);
  bad(head + "0\r\n" + "A: b\r\n" + std::string(200, 'c') + ": d\r\n" + std::string(200, 'c') +
          ": d\r\n" + std::string(200, 'c') + ": d\r\n" + std::string(200, 'c') + ": d\r\n" +
          std::string(250, 'c') + ": d\r\n",
      431);
}

void framing_that_could_be_read_two_ways_is_refused() {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const char* lines : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                            "Content-Length: 5\r\nContent-Length: 5\r\n",
                            "Content-Length: 5, 5\r\n",
                            "Content-Length: +5\r\n",
                            "Content-Length: -1\r\n",
                            "Content-Length: 0x5\r\n",
                            "Content-Length: 5 5\r\n",
                            "Content-Length:\r\n",
                            "Transfer-Encoding: gzip, chunked\r\n",
                            "Transfer-Encoding: identity\r\n",
                            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                            "Transfer-Encoding: xchunked\r\n",
                            "Transfer-Encoding:\r\n",
                            "Content-Length : 5\r\n",
                            " Content-Length: 5\r\n",
                            "X: y\r\n folded\r\n",
                            "X\r\n",
                            ": y\r\n",
                            "X: y\rContent-Length: 5\r\n",
                            "X: y\nZ: z\r\n",
                            "X@: y\r\n",
                            "Host: b\r\n"})
    bad(head + lines + "\r\nhello", 400);
  bad("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
  bad(head + "X: a\0b\r\n\r\n"s, 400);
  bad(head + "Expect: coffee\r\nContent-Length: 1\r\n\r\n", 417);
  for (const char* host : {"a b", "a/b", "u@a", "a,b", "", "a\tb"})
    bad("GET / HTTP/1.1\r\nHost: "s + host + "\r\n\r\n", 400);
}

void request_lines_are_strict() {
  for (const char* line :
       {"GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET / HTTP/2.0",
        "GET / HTTP/1.10", "GET / http/1.1", "GET /a b HTTP/1.1", "GET /a#b HTTP/1.1",
        "GET x HTTP/1.1", "GET * HTTP/1.1", "G(T / HTTP/1.1", "PRI * HTTP/2.0",
        "GET /\x7f HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1", "GET /\\ HTTP/1.1", "hello",
        "\x16\x03\x01"})
    bad(std::string(line) + "\r\nHost: a\r\n\r\n", 400);
  bad("\r\n\r\nGET / HTTP/1.1\r\n", 400);
  bad(std::string(33, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
}

void limits_are_exact() {
  const HttpLimits limits;
  const std::string tail = " HTTP/1.1\r\nHost: a\r\n\r\n";
  good("GET /" + std::string(limits.target_bytes - 1, 'a') + tail);
  bad("GET /" + std::string(limits.target_bytes, 'a') + tail, 414);
  bad("GET /" + std::string(10 * limits.target_bytes, 'a'), 414);

  auto with_header = [&](std::size_t bytes) {  // of all header lines together
    return "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(bytes - 9 - 5, 'x') + "\r\n\r\n";
  };
  good(with_header(limits.header_bytes));
  bad(with_header(limits.header_bytes + 1), 431);
  bad("GET / HTTP/1.1\r\nX: " + std::string(10 * limits.header_bytes, 'x'), 431);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 101; i++) many += "A: b\r\n";
  bad(many + "\r\n", 431);

  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  auto with_body = [&](std::size_t n) {
    return post + std::to_string(n) + "\r\n\r\n" + std::string(n, 'b');
  };
  CHECK(good(with_body(limits.body_bytes)).body.size() == limits.body_bytes);
  bad(with_body(limits.body_bytes + 1), 413);
  bad(post + "99999999999999999999999999\r\n\r\n", 413);
  bad(post + "18446744073709551615\r\n\r\n", 413);
}

void continue_is_asked_for_once() {
  RequestReader reader{HttpLimits()};
  reader.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(reader.state() == State::kBody);
  CHECK(reader.take_continue());
  CHECK(!reader.take_continue());
  CHECK(reader.feed("okGET") == 2);
  CHECK(reader.state() == State::kComplete);
  CHECK(reader.take().body == "ok");
  CHECK(reader.state() == State::kIdle);
}

void pipelined_requests_are_told_apart() {
  std::string bytes;
  for (int i = 0; i < 50; i++) {
    bytes += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET ";
    bytes +=
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  }
  for (std::size_t piece : {1000000u, 1u, 11u}) {
    int status = 0;
    const auto got = read_all(bytes, piece, &status);
    CHECK(status == 0 && got.size() == 100);
    CHECK(got[98].path == "/49" && got[98].body == "GET " && got[99].body == "abc");
  }
}

// Garbage, and requests with a few bytes changed: always an end, never a byte held beyond the
// limits.
void garbage_is_survived() {
  HttpLimits small;
  small.body_bytes = 100;
  small.header_bytes = 200;
  small.target_bytes = 50;
  const std::string seed =
      "POST /whep?x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n"
      "POST http://a/ HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc";
  std::mt19937 random(1);
  for (int round = 0; round < 20000; round++) {
    std::string bytes = seed;
    for (unsigned n = random() % 4; n > 0; n--) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, random() % 5);
          break;
        case 2:
          bytes.insert(at, 1, "\r\n :;0f"[random() % 7]);
          break;
        case 3:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 40));
          break;
      }
    }
    int status = 0;
    for (const HttpRequest& r : read_all(bytes, 1 + random() % 30, &status, small)) {
      CHECK(r.body.size() <= small.body_bytes);
      CHECK(r.path.size() <= small.target_bytes);
    }
    if (status != 0 && (status < 400 || status > 431)) FAIL("status %d", status);
  }
}

}  // namespace

int main() {
  requests_come_out_whole();
  absolute_targets_name_their_own_host();
  connections_are_kept_as_the_version_says();
  chunked_bodies_are_put_together();
  framing_that_could_be_read_two_ways_is_refused();
  request_lines_are_strict();
  limits_are_exact();
  continue_is_asked_for_once();
  pipelined_requests_are_told_apart();
  garbage_is_survived();
}
