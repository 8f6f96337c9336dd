#!/usr/bin/env bash
# Stop the private Docker Engine of scripts/dockerd-up.sh with all its containers; images are kept.
#
#   scripts/dockerd-down.sh [--purge]     --purge removes the images and all other state as well
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

ROOT=${ER_DOCKER_ROOT:-/var/tmp/er-docker}
BRIDGE=${ER_DOCKER_BRIDGE:-er-docker0}
[ -d "$ROOT" ] || exit 0
export DOCKER_HOST=unix://$ROOT/docker.sock

exec 9>"$ROOT/lock"
flock -w 90 9

pid=$(cat "$ROOT/dockerd.pid" 2>/dev/null || true)
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
  docker ps -aq | xargs -r docker rm -fv >/dev/null || true
  docker network prune -f >/dev/null || true # Otherwise their bridges stay behind.
  kill -TERM "$pid"
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$pid" 2>/dev/null; then
    echo "dockerd-down: the engine (pid $pid) did not stop within 30 seconds" >&2
    exit 1
  fi
fi
ip link del "$BRIDGE" 2>/dev/null || true

if [ "${1:-}" = --purge ]; then
  awk -v root="$ROOT/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n1 umount -l
  rm -rf "$ROOT"
fi
