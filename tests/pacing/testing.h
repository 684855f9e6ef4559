// SPDX-License-Identifier: LGPL-2.1-or-later
// A test is a function with a sentence for a name. TEST registers it; EXPECT and friends note what
// failed and go on. The program runs all of them, or those whose names contain an argument.
#pragma once

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace testing {

struct Test {
  const char* name;
  void (*run)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int& failures() {
  static int n = 0;
  return n;
}

inline bool add(const char* name, void (*run)()) {
  tests().push_back({name, run});
  return true;
}

inline void fail(const char* file, int line, const std::string& what) {
  constexpr int kShown = 5;  // of one test
  static int last = 0, same = 0;
  same = line == last ? same + 1 : 0;
  last = line;
  ++failures();
  if (same < kShown) std::printf("  %s:%d: %s\n", file, line, what.c_str());
}

inline int run(int argc, char** argv) {
  int failed = 0;
  const bool first = argc > 1 && std::strcmp(argv[1], "--first") == 0;  // stop at the first failure
  const int names = first ? 2 : 1;
  for (const Test& t : tests()) {
    if (first && failed) break;
    bool chosen = argc <= names;
    for (int i = names; i < argc; ++i) chosen |= std::strstr(t.name, argv[i]) != nullptr;
    if (!chosen) continue;
    const int before = failures();
    t.run();
    const bool good = failures() == before;
    failed += !good;
    std::printf("%s %s\n", good ? "ok    " : "FAILED", t.name);
    std::fflush(stdout);
  }
  return failed ? 1 : 0;
}

}  // namespace testing

#define TEST(name)                                            \
  static void name();                                         \
  static const bool name##_added = testing::add(#name, name); \
  static void name()

#define EXPECT(condition)                                            \
  do {                                                               \
    if (!(condition)) testing::fail(__FILE__, __LINE__, #condition); \
  } while (0)

// a compared with b, both printed
#define EXPECT_THAT(a, op, b)                                                            \
  do {                                                                                   \
    const auto a_ = (a);                                                                 \
    const auto b_ = (b);                                                                 \
    if (!(a_ op b_))                                                                     \
      testing::fail(__FILE__, __LINE__,                                                  \
                    std::string(#a " " #op " " #b ": ") + std::to_string(a_) + " and " + \
                        std::to_string(b_));                                             \
  } while (0)
