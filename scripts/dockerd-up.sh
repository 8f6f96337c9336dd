#!/usr/bin/env bash
# Start a private Docker Engine for the tests, or reuse the one that already runs.
#
#   eval "$(scripts/dockerd-up.sh)"     exports DOCKER_HOST
#
# State lives in $ER_DOCKER_ROOT (default /var/tmp/er-docker) and survives a stop: images are kept.
# A second call returns at once, parallel calls start one engine. When an engine of the user already
# runs in this network namespace nothing is started: two engines flush each other's iptables chains.
# ER_DOCKER_SHARED=1 says that the user's engine (DOCKER_HOST, or the standard socket) may be used;
# starting one needs root.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

ROOT=${ER_DOCKER_ROOT:-/var/tmp/er-docker}
BRIDGE=${ER_DOCKER_BRIDGE:-er-docker0}
POOL=${ER_DOCKER_POOL:-10.213} # The first two octets of every network of this engine.
SOCKET=$ROOT/docker.sock
STANDARD_SOCKET=/var/run/docker.sock

fail() {
  echo "dockerd-up: $1" >&2
  exit "${2:-1}"
}

answers() {
  curl -fsS -m 5 --unix-socket "$1" http://docker/_ping >/dev/null 2>&1
}

refuse_second_engine() {
  local pid theirs ours
  answers "$STANDARD_SOCKET" || return 0
  ours=$(readlink /proc/self/ns/net)
  pid=$(cat /var/run/docker.pid 2>/dev/null || echo none)
  theirs=$(readlink "/proc/$pid/ns/net" 2>/dev/null || echo "$ours")
  [ "$theirs" = "$ours" ] || return 0
  fail "another engine answers on $STANDARD_SOCKET; a second one would break its published ports.
Set ER_DOCKER_SHARED=1 to let the tests use it, or run them in a network namespace of their own." 2
}

prepare_machine() {
  # Without systemd nobody has mounted the control groups.
  mountpoint -q /sys/fs/cgroup || cgroupfs-mount
  if ! ip link show "$BRIDGE" >/dev/null 2>&1; then
    ip link add "$BRIDGE" type bridge
    ip addr add "$POOL.0.1/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
  fi
  # Left behind by an engine that was killed. A process that has ended and that nobody has waited
  # for is in /proc still, but has no exe.
  local file
  for file in "$ROOT/dockerd.pid" "$ROOT/run/containerd/containerd.pid"; do
    [ -e "/proc/$(cat "$file" 2>/dev/null || echo none)/exe" ] || rm -f "$file"
  done
}

running() { # Whether the engine's process is there, answering or not.
  [ -e "/proc/$(cat "$ROOT/dockerd.pid" 2>/dev/null || echo none)/exe" ]
}

answers_soon() { # An engine that has just started, or one on a busy machine, takes its time.
  local _
  for _ in $(seq 600); do
    answers "$SOCKET" && return 0
    running || return 1
    sleep 0.1
  done
  return 1
}

launch() { # $1: storage driver
  # live-restore: containers outlive a restart of the engine, as on most servers.
  # The namespaces keep this engine's containers apart from a containerd that runs on the system.
  # File descriptor 9 is the lock: the engine must not inherit it, or nobody could ever lock again.
  setsid dockerd --data-root="$ROOT/data" --exec-root="$ROOT/run" --pidfile="$ROOT/dockerd.pid" \
    --host="unix://$SOCKET" --storage-driver="$1" --bridge="$BRIDGE" \
    --default-address-pool "base=$POOL.128.0/17,size=24" \
    --containerd-namespace er-moby --containerd-plugins-namespace er-plugins \
    --log-opt max-size=10m --shutdown-timeout 5 --live-restore \
    >>"$ROOT/dockerd.log" 2>&1 </dev/null 9>&- &
  local pid=$!
  for _ in $(seq 600); do
    answers "$SOCKET" && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  kill "$pid"
  return 1
}

if [ "${ER_DOCKER_SHARED:-}" = 1 ]; then
  offered=${DOCKER_HOST:-unix://$STANDARD_SOCKET}
  if answers "${offered#unix://}"; then
    echo "export DOCKER_HOST=$offered"
    exit 0
  fi
fi
[ "$(id -u)" = 0 ] || fail "starting a Docker Engine needs root (ER_DOCKER_SHARED=1 uses yours)" 2
for tool in dockerd curl ip flock; do
  command -v "$tool" >/dev/null || fail "$tool is not installed (scripts/test-deps.sh installs it)" 2
done
# containerd puts sockets under the root, and the path of a Unix socket has a limit of 104 bytes.
[ "${#ROOT}" -le 67 ] || fail "ER_DOCKER_ROOT is longer than 67 characters: $ROOT" 2

mkdir -p "$ROOT"
exec 9>"$ROOT/lock"
flock -w 90 9 || fail "another start of the engine has been holding $ROOT/lock for 90 seconds"

if ! answers_soon; then
  refuse_second_engine
  prepare_machine
  : >"$ROOT/dockerd.log"
  if ! launch overlay2; then
    # overlay2 cannot be stacked on some file systems; vfs is slow and works everywhere.
    if grep -qE 'driver not supported|error initializing graphdriver' "$ROOT/dockerd.log"; then
      launch vfs || true
    fi
    answers "$SOCKET" || fail "the engine did not start:
$(grep -v level=info "$ROOT/dockerd.log" | tail -5)"
  fi
fi
echo "export DOCKER_HOST=unix://$SOCKET"
