#!/usr/bin/env bash
# Installs what is missing, builds, and shows the demo model in your browser.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'EOT'
usage: ./demo.sh [options]

Installs what is missing (Debian; sudo when not root), builds into build/, starts a procedural model that delivers 12-frame
blocks at a changing speed, and prints the URL to open. Ctrl-C ends it.

  --port N            port to serve on (default 8080; 0 takes any free one)
  --duration S        end by itself after S seconds
  --headless-check    open the page in headless Chromium, verify that smooth video arrives, and exit 0 or 1
  --screenshot FILE   with --headless-check: keep a picture of the page (PNG)
  --no-install        use the machine as it is
  -h, --help          this text
EOT
}

port=8080 duration= check=0 install=1 screenshot=
while [ $# -gt 0 ]; do
  case $1 in
    --port|--duration|--screenshot)
      [ $# -ge 2 ] || { echo "demo.sh: $1 needs a value (see --help)" >&2; exit 2; }
      case $1 in --port) port=$2 ;; --duration) duration=$2 ;; --screenshot) screenshot=$2 ;; esac
      shift ;;
    --headless-check) check=1 ;;
    --no-install) install=0 ;;
    -h|--help) usage; exit 0 ;;
    *) echo "demo.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done
[[ $port =~ ^[0-9]+$ ]] && [ "$port" -le 65535 ] ||
  { echo "demo.sh: --port takes a number from 0 to 65535, got '$port'" >&2; exit 2; }
[[ -z $duration || $duration =~ ^[0-9]+(\.[0-9]+)?$ ]] ||
  { echo "demo.sh: --duration takes seconds, got '$duration'" >&2; exit 2; }
. .ci/packages.sh

if [ $install = 1 ]; then
  wanted=("${build_packages[@]}" "${run_packages[@]}")
  [ $check = 0 ] || wanted+=("${browser_packages[@]}" ca-certificates)
  install_packages "${wanted[@]}"
  if [ $check = 1 ]; then install_node; tests/browser/setup.sh; fi
fi
python=$(system_python)

# The tests and examples are test.sh's business; a build folder that has them keeps them.
[ -f build/build.ninja ] || { echo "Configuring…"; meson setup build >/dev/null; }
echo "Building (the first time takes a minute or two)…"
ninja -C build --quiet

set +u   # the environment is built upon variables that may be unset
eval "$(meson devenv -C build --dump)"
set -u
demo=("$python" -m gst_reactor demo --port "$port" ${duration:+--duration "$duration"})
[ $check = 1 ] || exec "${demo[@]}"

log=$(mktemp) pid=
# TERM, not INT: a job in the background of a script is started with INT ignored
cleanup() {
  [ -z "$pid" ] || { kill -TERM "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
  rm -f "$log"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
"${demo[@]}" >"$log" 2>&1 &
pid=$!
url=
for _ in $(seq 300); do
  url=$(grep -oE 'https?://[^ ]+' "$log" | head -1 || true)
  [ -z "$url" ] || break
  kill -0 "$pid" 2>/dev/null || { echo "demo.sh: the demo ended by itself:" >&2; cat "$log" >&2; exit 1; }
  sleep 0.1
done
[ -n "$url" ] || { echo "demo.sh: no address within 30 s; the demo said:" >&2; cat "$log" >&2; exit 1; }
echo "The demo runs at $url; looking at it in headless Chromium…"
if node tests/browser/headless-check.js "$url" ${screenshot:+"$screenshot"}; then
  echo "PASS: the page shows smooth video"
else
  echo "FAIL: see above; the demo said:" >&2
  cat "$log" >&2
  exit 1
fi
