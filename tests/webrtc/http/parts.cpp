// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The small pure parts of the HTTP side: routes, SDP texts, ETags, JSON documents, responses.
#include <glib.h>

#include <set>
#include <string>
#include <vector>

#include "fakehost.h"
#include "gst/wire/json.h"
#include "http/message.h"
#include "http/randomid.h"
#include "http/reactorjson.h"
#include "http/reactorlocal.h"
#include "http/router.h"
#include "http/sdp_text.h"
#include "http/server.h"
#include "http/whep.h"
#include "tests/wire/check.h"

using namespace reactor::webrtc;  // NOLINT: a test of that namespace
using namespace std::string_literals;

namespace {

void paths_lead_to_their_routes() {
  Router router;
  for (const char* pattern : {"/", "/whep", "/whep/{id}", "/a/{x}/b/{y}"})
    router.add({"GET", pattern, Need::kOpen, "", [](Call, Respond) {}});
  router.add({"DELETE", "/whep/{id}", Need::kFull, "", [](Call, Respond) {}});
  auto pattern = [&](const char* method, std::string_view path) {
    const Router::Match match = router.match(method, path);
    return match.route ? match.route->pattern : std::string();
  };
  CHECK(pattern("GET", "/") == "/");
  CHECK(pattern("HEAD", "/whep") == "/whep");
  CHECK(pattern("GET", "/w%68ep") == "/whep");
  CHECK(pattern("DELETE", "/whep/1") == "/whep/{id}");
  CHECK(router.match("GET", "/a/%C3%A9%2F/b/2").params ==
        (std::vector<std::string>{"\xc3\xa9/", "2"}));
  CHECK(router.match("GET", "/whep/1").allow == "GET, HEAD, DELETE, OPTIONS");
  CHECK(router.match("PUT", "/whep/1").allow == "GET, HEAD, DELETE, OPTIONS");
  CHECK(pattern("PUT", "/whep/1").empty() && pattern("get", "/").empty());
  for (const char* path :
       {"", "*", "whep", "/whep/", "//whep", "/whep//", "/whep/1/2", "/whep/%", "/whep/%4",
        "/whep/%4x", "/whep/%00", "/whep/a%00b", "/WHEP", "/./whep", "/a//b/1"})
    if (!router.match("GET", path).allow.empty()) FAIL("%s leads somewhere", path);
}

void offers_are_weighed_before_they_are_parsed() {
  const HttpLimits limits;
  CHECK(!check_offer("v=0\r\nm=video\r\n", 400, limits));
  CHECK(!check_offer("v=0\nm=video\n", 400, limits));
  for (const std::string& text : {""s, "v=1"s, " v=0"s, "v=0\0"s, "v=0\x01"s, "m=video"s}) {
    const auto refusal = check_offer(text, 422, limits);
    CHECK(refusal && refusal->status == 422 && refusal->code == "sdp");
  }
  std::string sdp = "v=0\r\n";
  for (int i = 0; i < 64; i++) sdp += "m=video\r\na=candidate:1\r\n";
  CHECK(!check_offer(sdp, 400, limits));
  CHECK(check_offer(sdp + "m=audio\r\n", 400, limits)->code == "too-many-media");
  CHECK(check_offer(sdp + "a=candidate:2\r\n", 400, limits)->code == "too-many-candidates");
  CHECK(sketch_sdp("v=0\r\na=ice-ufrag:ab\r\na=ice-ufrag:cd\r\n").ice_ufrag == "ab");
}

void fragments_are_read_line_by_line() {
  const HttpLimits limits;
  SdpFragment fragment;
  CHECK(!parse_fragment(
      "a=ice-ufrag:x\r\nm=video 9 a 0\r\na=mid:v\r\na=candidate:1 b\r\na=candidate:2\r\n"
      "m=audio 9 a 0\na=candidate:3\na=end-of-candidates\n",
      limits, &fragment));
  CHECK(fragment.ice_ufrag == "x" && fragment.candidates.size() == 3);
  CHECK(fragment.candidates[0].candidate == "candidate:1 b" && fragment.candidates[0].mid == "v");
  CHECK(fragment.candidates[1].mline == 0u && fragment.candidates[2].mline == 1u);
  CHECK(fragment.candidates[2].mid.empty());
  for (const std::string& text :
       {"x"s, "hello"s, "a=candidate:\0"s, "a=candidate:"s + std::string(1100, '1')}) {
    SdpFragment ignored;
    CHECK(parse_fragment(text, limits, &ignored)->status == 400);
  }
  CHECK(!is_candidate("candidate:1\na=x") && !is_candidate("andidate:1") &&
        is_candidate("candidate:1"));
}

void etags_match_as_listed() {
  for (const char* good : {"\"a\"", "*", " \"b\" , \"a\" ", "\"a\",\"b\""})
    CHECK(etag_matches(good, "\"a\""));
  for (const char* bad : {"", "a", "\"A\"", "W/\"a\"", "\"b\"", "\"a", "**"})
    CHECK(!etag_matches(bad, "\"a\""));
}

void ice_servers_are_told_in_both_ways() {
  const std::vector<IceServer> servers = {{{"stun:a", "stun:b"}, "", ""},
                                          {{"turn:c"}, "us\"er", "p\\w"}};
  const auto links = ice_links(servers);
  CHECK(links.size() == 3 && links[0] == "<stun:a>; rel=\"ice-server\"");
  CHECK(links[2] ==
        "<turn:c>; rel=\"ice-server\"; username=\"us\\\"er\"; credential=\"p\\\\w\"; "
        "credential-type=\"password\"");
  const std::string document = ice_servers_document(servers);
  CHECK(document == R"({"ice_servers":[{"uris":["stun:a","stun:b"]},{"uris":["turn:c"],)"
                    R"("credentials":{"username":"us\"er","password":"p\\w"}}]})");
  CHECK(ice_servers_document({}) == R"({"ice_servers":[]})");
}

void session_documents_hold_what_the_sdk_insists_on() {
  HttpConfig config;
  config.model_name = "a \"model\"";
  auto commands = [&](const std::string& capabilities) {
    const std::string document = session_document("s", config, capabilities);
    if (!reactor::wire::check_json(document).ok) FAIL("no JSON: %s", document.c_str());
    const std::size_t at = document.find("\"commands\":") + 11;
    return document.substr(at, document.find(",\"tracks\"") - at);
  };
  CHECK(commands("{}") == "[]");
  CHECK(commands("") == "[]" && commands("[") == "[]" && commands("{\"commands\":1}") == "[]");
  CHECK(commands(R"({"commands":[{"name":"a"},1,{"description":"no name"}]})") ==
        R"([{"name":"a","description":""}])");
  CHECK(commands(
            R"({"commands":[{"name":"a","description":"d","schema":{"x":{"type":"string"}}}]})") ==
        R"([{"name":"a","description":"d","schema":{"x":{"type":"string"}}}])");
}

void versions_of_the_reactor_protocol_are_checked() {
  auto status = [](std::vector<HttpHeader> headers) {
    HttpRequest request;
    request.headers = std::move(headers);
    const auto refusal = check_reactor_version(request);
    return refusal ? refusal->status : 0;
  };
  CHECK(status({}) == 0);
  CHECK(status({{"Reactor-API-Version", "1"}}) == 0);
  CHECK(status({{"Reactor-API-Version", "2"}, {"Reactor-API-Accept-Version", "2, 1"}}) == 0);
  CHECK(status({{"Reactor-API-Version", "2"}}) == 426);
  CHECK(status({{"Reactor-API-Accept-Version", "11"}}) == 426);
  CHECK(status({{"Reactor-WebRTC-Version", "1.0"}}) == 0);
  CHECK(status({{"Reactor-WebRTC-Version", "1.7"}}) == 0);
  CHECK(status({{"Reactor-WebRTC-Version", "10"}}) == 426);
  CHECK(status({{"Reactor-WebRTC-Version", ""}}) == 426);
}

void responses_are_written_as_http_wants_them() {
  HttpResponse response = refused(404, "a\"b", "line\nbreak \xff \x7f");
  CHECK(reactor::wire::check_json(response.body).ok);
  CHECK(serialise(response, false, true).find("HTTP/1.1 404 Not Found\r\n") == 0);
  const std::string head = serialise(response, true, false);
  CHECK(head.find("Content-Length: " + std::to_string(response.body.size()) + "\r\n") !=
        std::string::npos);
  CHECK(head.substr(head.size() - 23) == "Connection: close\r\n\r\n"s.insert(0, "\r\n"));
  response.status = 204;
  CHECK(serialise(response, false, true).find("Content-Length") == std::string::npos);
}

void ids_are_long_and_differ() {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; i++) {
    const std::string id = random_id();
    CHECK(id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string::npos);
    ids.insert(id);
  }
  CHECK(ids.size() == 1000);
}

// The id that the second of two pages gets for the same session.
std::string second_session_id() {
  FakeHost host;
  host.session_id = "the-host-s";
  ReactorLocal local(HttpConfig(), host);
  Router router;
  local.add_routes(router);
  std::string body;
  for (const char* page : {"one", "two"}) {
    Call call;
    call.request.headers = {{"User-Agent", page}};
    router.match("POST", "/start_session").route->handler(call, [&](HttpResponse response) {
      body = response.body;
      return true;
    });
  }
  const std::string key = "\"session_id\":\"";
  return body.substr(body.find(key) + key.size(), 32);
}

void session_ids_do_not_follow_from_earlier_ones() {
  std::set<std::string> ids;
  for (int i = 0; i < 2; i++) {
    g_random_set_seed(1);
    ids.insert(second_session_id());
  }
  CHECK(ids.size() == 2 && ids.begin()->find("the-host-s") == std::string::npos);
}

void the_url_is_one_that_a_person_can_open() {
  const auto url = [](const char* host, const std::vector<std::string>& addresses) {
    return page_url(false, host, 8080, addresses);
  };
  const std::vector<std::string> both = {"2001:db8::7", "192.0.2.7", "192.0.2.8"};
  const std::vector<std::string> ipv6 = {"2001:db8::7"};
  for (const char* all : {"0.0.0.0", "::", "[::]", "0:0:0:0:0:0:0:0"}) {
    CHECK(url(all, both) == "http://192.0.2.7:8080/");
    CHECK(url(all, {}) == "http://127.0.0.1:8080/");
  }
  CHECK(url("0.0.0.0", ipv6) == "http://127.0.0.1:8080/");
  CHECK(url("::", ipv6) == "http://[2001:db8::7]:8080/");
  CHECK(url("127.0.0.1", both) == "http://127.0.0.1:8080/");
  CHECK(url("::1", both) == "http://[::1]:8080/" && url("[::1]", both) == "http://[::1]:8080/");
  CHECK(page_url(true, "example.org", 443, both) == "https://example.org:443/");
}

}  // namespace

int main() {
  paths_lead_to_their_routes();
  offers_are_weighed_before_they_are_parsed();
  fragments_are_read_line_by_line();
  etags_match_as_listed();
  ice_servers_are_told_in_both_ways();
  session_documents_hold_what_the_sdk_insists_on();
  versions_of_the_reactor_protocol_are_checked();
  responses_are_written_as_http_wants_them();
  ids_are_long_and_differ();
  session_ids_do_not_follow_from_earlier_ones();
  the_url_is_one_that_a_person_can_open();
}
