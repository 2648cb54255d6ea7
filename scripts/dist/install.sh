#!/bin/sh
# install.sh [PREFIX]: copies this folder's bin and share below PREFIX (/usr/local), or below $DESTDIR of it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${DESTDIR-}${1:-/usr/local}
mkdir -p "$prefix"
cp -R "$here/bin" "$here/share" "$prefix/"
echo "installed: $prefix/bin/cpuid-fidelity"
