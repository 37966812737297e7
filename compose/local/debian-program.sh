#!/usr/bin/env bash
# A program of a Debian package, for tests: fetched with this machine's own apt sources and unpacked into a prefix. Nothing is installed,
# no maintainer script runs, root is not needed, and apt's own lists stay as they are.
#   usage: debian-program.sh PREFIX PACKAGE PATH    print where PREFIX has PATH of PACKAGE (usr/bin/…), fetching it the first time.
#                                                   Run it in PREFIX/usr
set -euo pipefail
prefix=$(realpath -m "$1"); package=$2; path=$3
if [ ! -x "$prefix/$path" ]; then
  command -v apt-get >/dev/null || { echo "debian-program.sh: no apt here to fetch $package with" >&2; exit 1; }
  apt=$prefix.apt; rm -rf "$apt" "$prefix.new"
  mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial
  options=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Debug::NoLocking=true -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3)
  apt-get "${options[@]}" update >&2
  ( cd "$apt" && apt-get "${options[@]}" download "$package" >&2 )
  mkdir "$prefix.new"; dpkg-deb --extract "$apt"/*.deb "$prefix.new"
  # what it looks for under /usr/share is beside it: a path of the same length, relative to its working directory, which must be PREFIX/usr
  sed -i 's#/usr/share/prometheus/#././/share/prometheus/#g' "$prefix.new/$path"
  rm -rf "$prefix"; mv "$prefix.new" "$prefix"; rm -rf "$apt"
  "$prefix/$path" --version >/dev/null 2>&1 || { echo "debian-program.sh: $package does not run here" >&2; rm -rf "$prefix"; exit 1; }
fi
echo "$prefix/$path"
