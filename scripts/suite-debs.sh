#!/usr/bin/env bash
# Unpack packages of another Debian suite beside the system. Nothing is installed, no apt
# configuration changes; the packages come from the mirror that the machine already uses.
#
#   scripts/suite-debs.sh trixie .tools docker-compose
set -euo pipefail

suite=$1
prefix=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
state=$prefix/.apt-$suite
mkdir -p "$state/lists/partial" "$state/debs"
cd "$state/debs"

# All lists, then the first line: closing the pipe early would end apt-get with an error.
mirrors=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v -- -security | sort -u)
[ -n "$mirrors" ] || {
  echo "suite-debs: apt knows no mirror yet; run apt-get update first" >&2
  exit 1
}
mirror=${mirrors%%$'\n'*}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror $suite main" >"$state/sources.list"

options=(-o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=-
  -o "Dir::State::lists=$state/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
  -o APT::Sandbox::User=root)
apt-get "${options[@]}" -qq update
rm -f ./*.deb
apt-get "${options[@]}" -qq download "$@"
for package in ./*.deb; do
  dpkg -x "$package" "$prefix"
done
