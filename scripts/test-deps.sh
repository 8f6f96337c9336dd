#!/usr/bin/env bash
# Install what the tests need on a bare Debian 12 machine: an engine, a C compiler, nginx, wrk, ...
# Quiet when everything is there. Without root it names what is missing and goes on: the tests that
# need it are skipped with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

NEWER_PEBBLE=.tools/sid/usr/bin/pebble
NEWER_TESTSSL=.tools/trixie/usr/bin/testssl
COMPOSE=.tools/usr/libexec/docker/cli-plugins/docker-compose

# command:package that provides it
NEEDED="curl:curl openssl:openssl gcc:gcc nginx:nginx wrk:wrk ip:iproute2 iptables:iptables
mmdebstrap:mmdebstrap setsid:util-linux htpasswd:apache2-utils taskset:util-linux
redis-server:redis-server chromium:chromium redis-cli:redis-tools host:bind9-host
hexdump:bsdextrautils ps:procps
pebble:pebble pebble-challtestsrv:pebble"

have() {
  PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null
}

missing=()
for pair in $NEEDED; do
  have "${pair%%:*}" || missing+=("${pair#*:}")
done
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
engine=()
have dockerd && have docker || engine=(docker.io)

if [ "${#missing[@]}" = 0 ] && [ "${#engine[@]}" = 0 ] && [ -x "$COMPOSE" ] &&
  [ -x "$NEWER_PEBBLE" ] && [ -x "$NEWER_TESTSSL" ]; then
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! have apt-get; then
  wanted="${missing[*]} ${engine[*]}"
  [ -x "$COMPOSE" ] || wanted="$wanted docker-compose(v2)"
  [ -x "$NEWER_PEBBLE" ] || wanted="$wanted pebble(2.10)"
  [ -x "$NEWER_TESTSSL" ] || wanted="$wanted testssl.sh(3.2)"
  echo "test-deps: not root on Debian, going on without:$(printf ' %s' $wanted)" >&2
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
install() {
  apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install -y "$@" >/dev/null
}
apt-get -qq update
if [ "${#missing[@]}" != 0 ]; then
  echo "test-deps: installing ${missing[*]}"
  install --no-install-recommends "${missing[@]}"
fi
if [ "${#engine[@]}" != 0 ]; then
  echo "test-deps: installing ${engine[*]}"
  # With its recommended packages: among them is what mounts control groups without systemd.
  install "${engine[@]}"
fi
if [ ! -x "$COMPOSE" ]; then
  echo "test-deps: unpacking docker compose v2 into .tools"
  scripts/suite-debs.sh trixie .tools docker-compose
fi
if [ ! -x "$NEWER_PEBBLE" ]; then
  # Renewal information (RFC 9773) and profiles; the tests fetch it again if this fails.
  echo "test-deps: unpacking a newer Pebble into .tools/sid"
  scripts/suite-debs.sh sid .tools/sid pebble || echo "test-deps: no newer Pebble" >&2
fi
if [ ! -x "$NEWER_TESTSSL" ]; then
  # It gives grades, that of the system does not.
  echo "test-deps: unpacking a newer testssl.sh into .tools/trixie"
  scripts/suite-debs.sh trixie .tools/trixie testssl.sh || echo "test-deps: no newer testssl" >&2
fi
