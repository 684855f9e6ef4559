// SPDX-License-Identifier: LGPL-2.1-or-later
//
// FAIL(format, …): says where and why, and ends the test program with status 1. CHECK(condition):
// the same with the condition's own text.
#pragma once

#include <cstdio>
#include <cstdlib>

#define FAIL(...)                                                      \
  do {                                                                 \
    std::fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, __func__); \
    std::fprintf(stderr, __VA_ARGS__);                                 \
    std::fputc('\n', stderr);                                          \
    std::exit(1);                                                      \
  } while (0)

#define CHECK(condition)                      \
  do {                                        \
    if (!(condition)) FAIL("%s", #condition); \
  } while (0)
