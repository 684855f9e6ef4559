// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The access rules: which names are ours, which pages may, which tokens open what, and what wrong
// ones cost.
#include "http/access.h"

#include <string>
#include <vector>

#include "tests/wire/check.h"

using namespace reactor::webrtc;  // NOLINT: a test of that namespace
using std::chrono::seconds;

namespace {

const AccessRules::Time kStart{};

HttpRequest request(std::string method, std::string authority,
                    std::vector<HttpHeader> headers = {}) {
  HttpRequest r;
  r.method = std::move(method);
  r.path = "/stats";
  r.authority = std::move(authority);
  r.headers = std::move(headers);
  return r;
}

HttpHeader bearer(const std::string& token) {
  return {"Authorization", "Bearer " + token};
}

// 0: let in.
int status_of(const Verdict& verdict) {
  return verdict.refusal ? verdict.refusal->status : 0;
}

void loopback_names_are_known() {
  for (const char* name :
       {"localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.localhost.", "127.0.0.1",
        "127.1.2.3", "127.255.255.255", "127.0.0.1.", "::1", "[::1]"})
    if (!is_loopback_name(name)) FAIL("%s is a loopback name", name);
  for (const char* name : {"",
                           ".",
                           "localhost..",
                           "xlocalhost",
                           "localhost.example",
                           "localhost:80",
                           ".localhost",
                           "127.0.0",
                           "127.1",
                           "2130706433",
                           "0x7f.0.0.1",
                           "0177.0.0.1",
                           "127.0.0.01",
                           "127.0.0.256",
                           "127.0.0.1.example.com",
                           "127.0.0.1x",
                           "128.0.0.1",
                           "0.0.0.0",
                           "::",
                           "[::]",
                           "[::1",
                           "::2",
                           "::ffff:127.0.0.1",
                           "example.com",
                           "127.0.0.",
                           "127..0.1",
                           "127.0.0.1/"})
    if (is_loopback_name(name)) FAIL("%s is no loopback name", name);
}

void hosts_are_cut_from_authorities() {
  const std::vector<std::pair<const char*, const char*>> table = {{"localhost", "localhost"},
                                                                  {"Example.COM:80", "example.com"},
                                                                  {"a.:1", "a"},
                                                                  {"[::1]:8080", "::1"},
                                                                  {"[FE80::1]", "fe80::1"},
                                                                  {"127.0.0.1:", "127.0.0.1"},
                                                                  {"a:b", ""},
                                                                  {"a:1:2", ""},
                                                                  {"[::1", ""},
                                                                  {"[::1]x", ""},
                                                                  {"[::1]:x", ""},
                                                                  {"", ""},
                                                                  {":80", ""}};
  for (const auto& [authority, host] : table)
    if (host_of(authority) != host)
      FAIL("host of %s is %s, not %s", authority, host, host_of(authority).c_str());
}

void addresses_are_plain() {
  CHECK(plain_address("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(plain_address("::FFFF:192.0.2.1") == "192.0.2.1");
  CHECK(plain_address("::ffff:1") == "::ffff:1");
  CHECK(plain_address("fe80::1%eth0") == "fe80::1");
  CHECK(plain_address("192.0.2.1") == "192.0.2.1");
}

void secrets_are_equal_only_to_themselves() {
  CHECK(equal_secret("secret", "secret"));
  for (const char* wrong : {"", "s", "secre", "secrets", "Secret", "secretsecret"})
    CHECK(!equal_secret(wrong, "secret"));
  CHECK(!equal_secret("", ""));
  CHECK(!equal_secret(std::string("secret\0", 7), "secret"));
}

void foreign_hosts_are_refused_on_every_kind_of_route() {
  HttpConfig config;
  config.host = "192.0.2.7";
  config.auth_token = "full";
  config.allowed_hosts = {"model.example.org", "Other.Example.org:9000"};
  AccessRules rules(config);
  const Caller caller{"192.0.2.7", "198.51.100.1"};
  const std::vector<std::pair<const char*, int>> table = {
      {"192.0.2.7:8080", 0},           {"192.0.2.7", 0},
      {"localhost:8080", 0},           {"[::1]", 0},
      {"model.example.org", 0},        {"MODEL.example.org.:443", 0},
      {"other.example.org", 0},        {"", 400},
      {"evil.example", 403},           {"192.0.2.8", 403},
      {"192.0.2.7.evil.example", 403}, {"model.example.org.evil.example", 403},
      {"evil.model.example.org", 403}, {"localhost.evil.example", 403},
      {"192.0.2.7:8080:1", 403}};
  for (const Need need : {Need::kOpen, Need::kView, Need::kFull})
    for (const char* method : {"GET", "POST", "DELETE", "OPTIONS"})
      for (const auto& [host, status] : table) {
        const int got =
            status_of(rules.check(request(method, host, {bearer("full")}), caller, need, kStart));
        if (got != status) FAIL("%s to %s: %d, not %d", method, host, got, status);
      }
}

void bound_to_all_the_address_that_was_reached_is_ours() {
  HttpConfig config;
  config.host = "0.0.0.0";
  config.auth_token = "none";
  AccessRules rules(config);
  auto got = [&](const char* host, const char* local) {
    return status_of(
        rules.check(request("GET", host), {local, "198.51.100.1"}, Need::kView, kStart));
  };
  CHECK(got("192.0.2.7:8080", "192.0.2.7") == 0);
  CHECK(got("192.0.2.7", "::ffff:192.0.2.7") == 0);
  CHECK(got("[2001:db8::1]:80", "2001:db8::1") == 0);
  CHECK(got("192.0.2.7", "192.0.2.8") == 403);
  CHECK(got("evil.example", "192.0.2.7") == 403);
}

void pages_change_something_only_if_allowed() {
  HttpConfig config;
  config.cors_origins = {"https://app.example.org"};
  AccessRules rules(config);
  const Caller caller{"127.0.0.1", "127.0.0.1"};
  struct Row {
    const char* origin;
    bool allowed;
  };
  const std::vector<Row> table = {{"http://127.0.0.1:8080", true},
                                  {"http://localhost:3000", true},
                                  {"https://localhost", true},
                                  {"http://[::1]:1", true},
                                  {"https://app.example.org", true},
                                  {"HTTPS://APP.example.org", true},
                                  {"http://app.example.org", false},
                                  {"https://app.example.org:444", false},
                                  {"https://app.example.org.evil.example", false},
                                  {"https://evil.example", false},
                                  {"http://localhost.evil.example", false},
                                  {"http://localhost@evil.example", false},
                                  {"http://evil.example/localhost", false},
                                  {"https://app.example.org, https://evil.example", false},
                                  {"null", false},
                                  {"", false},
                                  {"file://", false},
                                  {"http://", false},
                                  {"chrome-extension://localhost", false}};
  for (const Row& row : table) {
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "post", "WHATEVER"}) {
      const auto verdict = rules.check(request(method, "127.0.0.1:8080", {{"Origin", row.origin}}),
                                       caller, Need::kView, kStart);
      if (status_of(verdict) != (row.allowed ? 0 : 403))
        FAIL("%s from %s: %d", method, row.origin, status_of(verdict));
    }
    const auto read = rules.check(request("GET", "127.0.0.1:8080", {{"Origin", row.origin}}),
                                  caller, Need::kView, kStart);
    CHECK(status_of(read) == 0);
    CHECK(rules.origin_allowed(row.origin, "127.0.0.1:8080") == row.allowed);
  }
  const auto twice = request("POST", "127.0.0.1:8080",
                             {{"Origin", "http://localhost"}, {"Origin", "https://evil.example"}});
  CHECK(status_of(rules.check(twice, caller, Need::kView, kStart)) == 403);
  config.cors_origins = {"*"};
  AccessRules open(config);
  CHECK(open.origin_allowed("https://evil.example", "127.0.0.1"));
  CHECK(!open.origin_allowed("null", "127.0.0.1"));
}

void tokens_open_what_they_are_for() {
  HttpConfig config;
  config.host = "192.0.2.7";
  config.auth_token = "full";
  config.view_token = "view";
  const Caller caller{"192.0.2.7", "198.51.100.1"};
  struct Row {
    std::vector<HttpHeader> headers;
    int open, view, full;
  };
  const std::vector<Row> table = {
      {{}, 0, 401, 401},
      {{bearer("wrong")}, 0, 401, 401},
      {{bearer("")}, 0, 401, 401},
      {{bearer("view")}, 0, 0, 403},
      {{bearer("full")}, 0, 0, 0},
      {{{"authorization", "bearer full"}}, 0, 0, 0},
      {{{"Authorization", "full"}}, 0, 401, 401},
      {{{"Authorization", "Basic full"}}, 0, 401, 401},
      {{bearer("full full")}, 0, 401, 401},
      {{bearer("none")}, 0, 401, 401},
  };
  for (const Row& row : table) {
    AccessRules rules(config);
    auto got = [&](Need need) {
      return status_of(rules.check(request("GET", "192.0.2.7", row.headers), caller, need, kStart));
    };
    CHECK(got(Need::kOpen) == row.open);
    CHECK(got(Need::kView) == row.view);
    CHECK(got(Need::kFull) == row.full);
  }
  AccessRules rules(config);
  CHECK(rules.check(request("GET", "192.0.2.7", {bearer("view")}), caller, Need::kView, kStart)
            .role == Role::kViewOnly);
  CHECK(rules.check(request("GET", "192.0.2.7", {bearer("full")}), caller, Need::kView, kStart)
            .role == Role::kFull);
}

void without_a_token_everybody_who_gets_here_may() {
  for (const char* token : {"", "none"}) {
    HttpConfig config;
    config.auth_token = token;
    config.view_token = "view";
    AccessRules rules(config);
    const Caller caller{"127.0.0.1", "127.0.0.1"};
    for (const char* given : {"local", "wrong", "none", ""})
      CHECK(status_of(rules.check(request("POST", "localhost", {bearer(given)}), caller,
                                  Need::kFull, kStart)) == 0);
    // Who says to be a viewer only is taken at the word.
    CHECK(status_of(rules.check(request("POST", "localhost", {bearer("view")}), caller, Need::kFull,
                                kStart)) == 403);
  }
}

void wrong_tokens_are_counted_and_the_right_one_always_works() {
  HttpConfig config;
  config.auth_token = "full";
  AccessRules rules(config);
  AccessRules::Time now = kStart;
  auto got = [&](const char* token, const char* from) {
    const HttpRequest r =
        *token ? request("GET", "localhost", {bearer(token)}) : request("GET", "localhost");
    return status_of(rules.check(r, {"127.0.0.1", from}, Need::kView, now));
  };
  for (int i = 0; i < 10; i++) {
    CHECK(got("wrong", "198.51.100.1") == 401);
    now += seconds(1);
  }
  CHECK(got("wrong", "198.51.100.1") == 429);
  CHECK(got("wrong", "::ffff:198.51.100.1") == 429);
  CHECK(got("full", "198.51.100.1") == 0);
  CHECK(got("", "198.51.100.1") == 401);
  CHECK(got("wrong", "198.51.100.2") == 401);
  // The first of them is a minute old: one more may be tried.
  now = kStart + seconds(60);
  CHECK(got("wrong", "198.51.100.1") == 401);
  CHECK(got("wrong", "198.51.100.1") == 429);
  // A thousand other addresses do not make it forget this one while it keeps trying.
  for (int i = 0; i < 3000; i++) {
    got("wrong", ("2001:db8::" + std::to_string(i)).c_str());
    if (i % 500 == 0) CHECK(got("wrong", "198.51.100.1") == 429);
  }
}

void addresses_beyond_this_machine_need_a_decision() {
  HttpConfig config;
  for (const char* host : {"127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"}) {
    config.host = host;
    config.auth_token.clear();
    CHECK(AccessRules::check_config(config).empty());
    CHECK(!AccessRules::open_to_all(config));
    config.auth_token = "none";
    CHECK(!AccessRules::open_to_all(config));
  }
  for (const char* host : {"0.0.0.0", "::", "192.0.2.7", "example.org", "[2001:db8::1]", ""}) {
    config.host = host;
    config.auth_token.clear();
    CHECK(AccessRules::check_config(config).find("auth-token") != std::string::npos);
    config.auth_token = "secret";
    CHECK(AccessRules::check_config(config).empty());
    CHECK(!AccessRules::open_to_all(config));
    config.auth_token = "none";
    CHECK(AccessRules::check_config(config).empty());
    CHECK(AccessRules::open_to_all(config));
  }
}

}  // namespace

int main() {
  loopback_names_are_known();
  hosts_are_cut_from_authorities();
  addresses_are_plain();
  secrets_are_equal_only_to_themselves();
  foreign_hosts_are_refused_on_every_kind_of_route();
  bound_to_all_the_address_that_was_reached_is_ours();
  pages_change_something_only_if_allowed();
  tokens_open_what_they_are_for();
  without_a_token_everybody_who_gets_here_may();
  wrong_tokens_are_counted_and_the_right_one_always_works();
  addresses_beyond_this_machine_need_a_decision();
}
