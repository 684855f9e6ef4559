#!/usr/bin/env bash
# Fetches the npm packages that the browser tests use, exactly as the lock file names them. Does nothing when they are there.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")"

stamp=node_modules/.lock-installed
if [ -f $stamp ] && cmp -s package-lock.json $stamp; then exit 0; fi
echo "Installing npm packages for the browser tests (about 70 MB)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >"$log" 2>&1; then
  echo "error: npm ci failed; its last lines:" >&2
  tail -15 "$log" >&2
  exit 1
fi
cp package-lock.json $stamp
