#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs the build tree under a temporary root, compiles an example with pkg-config alone, and runs it there, with
# nothing of the source or build tree in reach. Arguments: build folder, prefix, libdir, the example's source.
set -euo pipefail
build=$1 prefix=$2 libdir=$3 source=$4
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

meson install -C "$build" --no-rebuild --quiet --destdir "$root"
lib=$root$prefix/$libdir
export PKG_CONFIG_PATH=$lib/pkgconfig
cp "$source" "$root/example.c"
cd "$root"
# The copy lies below a root that its pkg-config file does not know of.
sed -i "s|^prefix=.*|prefix=$root$prefix|" "$PKG_CONFIG_PATH/gstreamer-reactor-1.0.pc"
flags=$(pkg-config --cflags --libs gstreamer-reactor-1.0 gstreamer-app-1.0)
"${CC:-cc}" -Wall -Werror example.c -o example $flags

export LD_LIBRARY_PATH=$lib GST_PLUGIN_PATH=$lib/gstreamer-1.0 GST_REGISTRY=$root/registry.bin
./example 3
gst-inspect-1.0 reactorsrc > inspected
grep -q socket-path inspected
if [ -e "$lib/girepository-1.0/GstReactor-1.0.typelib" ]; then
  test -e "$root$prefix/share/gir-1.0/GstReactor-1.0.gir"
fi
