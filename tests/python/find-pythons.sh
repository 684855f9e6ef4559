#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Prints «VERSION PATH» for each Python from 3.9 on, once a version: those in PATH, and pyenv's.
for python in $(for v in 9 10 11 12 13 14 15; do command -v python3.$v; done) "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
  [ -x "$python" ] || continue
  "$python" -c 'import sys; v = sys.version_info; v >= (3, 9) and print("%d.%d" % v[:2], sys.argv[1])' "$python" 2>/dev/null
done | sort -u -t' ' -k1,1
