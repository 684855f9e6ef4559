#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'EOT'
usage: ./test.sh [options] [SUITE…]

Installs what is missing (Debian; sudo when not root), builds into build/, and runs every test.
SUITE names test suites to run alone: pacing wire elements webrtc python browser.

  --no-install     use the machine as it is
  --no-browser     leave out the tests in Chromium
  --no-sanitizers  leave out the second and third build, with AddressSanitizer + UBSan and ThreadSanitizer
  --quick          the same as --no-browser --no-sanitizers
  --benchmarks     run the benchmarks as well, at the end (half an hour; figures, never a failure)
  -h, --help       this text

Exit status: 0 when everything passed, 1 when a test failed, 2 for a wrong option.
Logs: build/meson-logs/testlog.txt, and the same under build-asan/ and build-tsan/.
EOT
}

install=1 browser=1 sanitizers=1 benchmarks=0 suites=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=0 ;;
    --no-browser) browser=0 ;;
    --no-sanitizers) sanitizers=0 ;;
    --quick) browser=0 sanitizers=0 ;;
    --benchmarks) benchmarks=1 ;;
    -h|--help) usage; exit 0 ;;
    -*) echo "test.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    *) suites+=("$1") ;;
  esac
  shift
done
. .ci/packages.sh

took=() failed=() started=$SECONDS
# part NAME COMMAND…: runs a part, keeps its time; a failure is kept for the end, so that one run tells everything
part() {
  local name=$1 t0=$SECONDS; shift
  printf '\n== %s\n' "$name"
  if ! "$@"; then failed+=("$name"); fi
  took+=("$(printf '%5d s  %s' $((SECONDS - t0)) "$name")")
}
report() {
  printf '\n== Time taken\n'
  printf '%s\n' "${took[@]}" "$(printf '%5d s  in all' $((SECONDS - started)))"
  local counts
  counts=$(python3 - "$@" <<'EOT'
import json, pathlib, sys
count = {"OK": 0, "FAIL": 0, "SKIP": 0}
for build in sys.argv[1:]:
    log = pathlib.Path(build, "meson-logs/testlog.json")
    for line in log.read_text().splitlines() if log.exists() else []:
        result = json.loads(line)["result"]
        count["OK" if result in ("OK", "EXPECTEDFAIL") else "SKIP" if result == "SKIP" else "FAIL"] += 1
print(f"{count['OK']} passed, {count['FAIL']} failed, {count['SKIP']} skipped")
EOT
  )
  if [ ${#failed[@]} -gt 0 ]; then
    printf '\nFAILED: %s\n' "${failed[*]}"
    printf '%s\n' "$counts"
    exit 1
  fi
  printf '\n%s\n' "$counts"
}

install_all() {
  local wanted=("${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}")
  [ $browser = 0 ] || wanted+=("${browser_packages[@]}")
  install_packages "${wanted[@]}" || return 1
  if [ $browser = 1 ]; then
    install_node && tests/browser/setup.sh || return 1
  fi
}

# build DIR MESON-OPTION…
build() {
  local dir=$1; shift
  if [ -f "$dir/build.ninja" ]; then
    meson configure "$dir" "$@" >/dev/null || return 1
  else
    meson setup "$dir" -Dwerror=true "$@" >"$dir.log" 2>&1 || { cat "$dir.log" >&2; rm -f "$dir.log"; return 1; }
    rm -f "$dir.log"
  fi
  if [ -t 1 ]; then ninja -C "$dir"; else ninja -C "$dir" --quiet; fi
}

formatted() {
  local files   # the public headers are C, in GStreamer's own style
  mapfile -t files < <(git ls-files '*.cpp' '*.h' ':!gst/reactor/gstreactor*.h')
  clang-format --dry-run --Werror "${files[@]}"
}

run_tests() {
  local dir=$1; shift
  rm -f "$dir/meson-logs/testlog.json"
  # one at a time: tests that measure time on a small machine must not disturb one another
  meson test -C "$dir" --no-rebuild --num-processes 1 --print-errorlogs "$@"
}

# know_plugins DIR: fills the build's plugin registry by a program that runs no test; what other people's plugins leak and
# race while they are looked at is not ours
know_plugins() {
  CK_RUN_CASE=none ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_bugs=0 \
    meson test -C "$1" --no-rebuild sim >/dev/null 2>&1 || true
}

suite_args=()
for s in ${suites[@]+"${suites[@]}"}; do suite_args+=(--suite "$s"); done
[ $browser = 1 ] || suite_args+=(--no-suite browser)

rm -f build*/meson-logs/testlog.json
if [ $install = 1 ]; then
  part "Install what is missing" install_all
  [ ${#failed[@]} = 0 ] || report build
fi
part "Build" build build
[ ${#failed[@]} = 0 ] || report build
# versions of clang-format differ in what they produce; the tree is formatted with 14
if clang-format --version 2>/dev/null | grep -q 'version 14\.' && git rev-parse --git-dir >/dev/null 2>&1; then
  part "Formatting" formatted
fi
part "Tests" run_tests build ${suite_args[@]+"${suite_args[@]}"}
builds=(build)

if [ $sanitizers = 1 ] && [ ${#suites[@]} = 0 ]; then
  # introspection and examples are not what the sanitizers look at
  common=(-Db_lundef=false -Dbuildtype=debugoptimized -Dintrospection=disabled -Dexamples=disabled)
  # GLib's slices hand memory on without the sanitizers' knowledge
  export G_SLICE=always-malloc
  # plugins are scanned in the test's process: the scanner of the system is not built with a sanitizer
  export GST_REGISTRY_FORK=no
  export CK_TIMEOUT_MULTIPLIER=4
  export ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0:detect_odr_violation=0
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
  export TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp:ignore_noninstrumented_modules=1:halt_on_error=1
  part "Build with AddressSanitizer and UBSan" build build-asan -Db_sanitize=address,undefined "${common[@]}"
  know_plugins build-asan
  part "Tests under AddressSanitizer and UBSan" run_tests build-asan --suite pacing --suite wire --suite elements --suite webrtc \
    --no-suite python --no-suite slow --timeout-multiplier 4
  part "Build with ThreadSanitizer" build build-tsan -Db_sanitize=thread "${common[@]}"
  know_plugins build-tsan
  CK_FORK=no part "Tests under ThreadSanitizer" run_tests build-tsan --suite pacing --suite wire --suite elements \
    --no-suite python --no-suite slow --no-suite ordered-by-gstreamer --timeout-multiplier 6
  builds+=(build-asan build-tsan)
fi
[ $benchmarks = 0 ] || part "Benchmarks" meson test -C build --no-rebuild --benchmark --num-processes 1 --verbose
report "${builds[@]}"
