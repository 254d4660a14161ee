#!/usr/bin/env bash
# install.sh BUILD - what is installed can be used as the README says: by
# find_package (shared and static), by pkg-config, and as a subdirectory.
set -euo pipefail

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

quietly() { "$@" >"$place/log" 2>&1 || { cat "$place/log"; exit 1; }; }

prefix=$place/prefix
quietly cmake --install "$build" --prefix "$prefix"

echo "find_package, shared and static"
quietly cmake -S "$here" -B "$place/package" -DCMAKE_PREFIX_PATH="$prefix"
quietly cmake --build "$place/package"
"$place/package/consumer_shared"
"$place/package/consumer_static"
env -u LD_LIBRARY_PATH ldd "$place/package/consumer_static" >"$place/needs"
if grep -q libtmesh "$place/needs"; then
    echo "the static consumer needs the shared library"
    exit 1
fi

echo "pkg-config"
libraries=$(dirname "$(find "$prefix" -name 'libtmesh.so')")
export PKG_CONFIG_PATH=$libraries/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs tmesh)"
quietly cc "$here/consumer.c" -o "$place/by_pkg_config" "${flags[@]}"
said=$(LD_LIBRARY_PATH=$libraries "$place/by_pkg_config")
echo "$said"
version=$(pkg-config --modversion tmesh)
if [[ $said != "tmesh $version,"* ]]; then
    echo "the package says version $version, the library another"
    exit 1
fi

echo "add_subdirectory"
quietly cmake -S "$here" -B "$place/subdirectory" -DTMESH_AS_SUBDIRECTORY="$here/../.."
if grep -q 'TMESH_BUILD_TESTS:BOOL=ON' "$place/subdirectory/CMakeCache.txt"; then
    echo "a project that includes us must not get our tests"
    exit 1
fi

echo "the installed program"
"$prefix/bin/tmesh" --version
