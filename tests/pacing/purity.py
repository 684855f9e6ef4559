#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pacing library is pure: of what it needs from outside, nothing reads a clock, starts a thread, or is GLib or GStreamer.

  purity.py LIBRARY.a
"""
import re
import subprocess
import sys

FORBIDDEN = {
    "a clock": r"(^|_)(clock_gettime|gettimeofday|clock|time|times|ftime|timespec_get)$|chrono.*clock.*now|nanosleep|usleep|^sleep$",
    "a thread": r"pthread|std::thread|std::mutex|condition_variable|std::this_thread|std::async|futex",
    "GLib": r"^_?g_[a-z]|^glib",
    "GStreamer": r"^_?gst_",
    "input or output": r"^(f?printf|puts|fopen|open|read|write|getenv|std::cout|std::cerr)\b",
    "chance": r"^(rand|random|getrandom|std::random_device)",
}


def undefined(library):
    out = subprocess.run(["nm", "-C", "-u", library], check=True, capture_output=True, text=True).stdout
    return sorted({line.split(None, 1)[1].split("@")[0] for line in out.splitlines() if line.strip().startswith("U ")})


def main():
    library = sys.argv[1]
    symbols = undefined(library)
    if not any("reactor::pacing" in s for s in symbols):
        sys.exit("%s: no symbol of the pacing library is in it; is it the right file?" % library)
    bad = [(what, s) for what, pattern in FORBIDDEN.items() for s in symbols if re.search(pattern, s)]
    for what, symbol in bad:
        print("gst/pacing has to be pure, but it uses %s: %s" % (what, symbol))
    print("%d outside symbols, %d forbidden" % (len(symbols), len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
