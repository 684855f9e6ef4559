# What demo.sh and test.sh need on a machine, and how they get it. Sourced by both, never run by itself.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Debian package names; Debian 12 (GStreamer 1.22) and 13 (1.26) have all of them under these names.

build_packages=(
  g++ meson ninja-build pkg-config
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstreamer-plugins-bad1.0-dev
  libglib2.0-dev libjson-glib-dev libyuv-dev
  gobject-introspection libgirepository1.0-dev
)
run_packages=(
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-nice glib-networking
  python3 python3-gi python3-gst-1.0 python3-numpy gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0
)
test_packages=(check ca-certificates git openssl clang-format librsvg2-bin binutils python3-pip python3-venv iproute2 gstreamer1.0-x xvfb)
browser_packages=(chromium)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else
    echo "error: installing packages needs root: run this as root or install sudo," >&2
    echo "       or have an administrator run: apt-get install ${missing[*]}" >&2
    return 1
  fi
}

# missing_packages PACKAGE…: fills `missing` with those that are not installed
missing_packages() {
  missing=()
  local p
  for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
  done
}

# install_packages PACKAGE…: installs what is missing and says what it does
install_packages() {
  if ! command -v apt-get >/dev/null; then
    echo "note: this is not a Debian system; these packages (or your system's names for them) are expected:" >&2
    printf '      %s\n' "$*" >&2
    return 0
  fi
  missing_packages "$@"
  [ ${#missing[@]} -gt 0 ] || return 0
  local log; log=$(mktemp)
  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  if ! { as_root apt-get update -qq &&
         as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
       </dev/null >"$log" 2>&1; then
    echo "error: apt-get failed; its last lines:" >&2
    tail -15 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# install_node: node >= 18 and npm, from wherever the machine has them, else from Debian
install_node() {
  if command -v node >/dev/null && command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ]; then
    return 0
  fi
  install_packages nodejs npm
}

# The Python that sees Debian's gi and numpy: not always the first on PATH.
system_python() {
  local p
  for p in /usr/bin/python3 python3; do
    if "$p" -c 'import gi, numpy' 2>/dev/null; then command -v "$p"; return 0; fi
  done
  echo "error: no Python with gi and numpy found (Debian: python3-gi python3-numpy)" >&2
  return 1
}
