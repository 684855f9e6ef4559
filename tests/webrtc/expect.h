// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Comparing texts that are temporaries, which fail_unless_equals_string() must not be given. After
// gstcheck.h.
#pragma once

#define expect_text(actual, expected)                                             \
  do {                                                                            \
    const std::string actual_text = (actual);                                     \
    const std::string expected_text = (expected);                                 \
    fail_unless(actual_text == expected_text, "%s: got %s, expected %s", #actual, \
                actual_text.c_str(), expected_text.c_str());                      \
  } while (0)
