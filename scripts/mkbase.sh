#!/usr/bin/env bash
# Provide the image python:3.13-slim, so that the project's Dockerfile builds unchanged.
# With a registry it is pulled. Without one a stand-in is made from Debian trixie's own Python 3.13;
# it stays in the engine's data root, so only the first run on a machine pays for it.
set -euo pipefail

IMAGE=python:3.13-slim

exec 9>"${TMPDIR:-/tmp}/er-mkbase.lock" # Parallel test sessions make it once.
flock -w 600 9
! docker image inspect "$IMAGE" >/dev/null 2>&1 || exit 0
! timeout 300 docker pull -q "$IMAGE" >/dev/null 2>&1 || exit 0

command -v mmdebstrap >/dev/null || {
  echo "mkbase: $IMAGE cannot be pulled, and mmdebstrap is not installed to make a stand-in" >&2
  exit 1
}
# The certificates of this machine: a network that re-signs TLS does so for the image's build as well.
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
export CERTIFICATES
mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,python3,python3-venv \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='cp "$CERTIFICATES" "$1/etc/ssl/certs/ca-certificates.crt"' \
  --customize-hook='printf "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n" >"$1/etc/pip.conf"' \
  --customize-hook='ln -s /usr/bin/python3 "$1/usr/local/bin/python"' \
  --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
  trixie - |
  docker import -c 'ENV LANG=C.UTF-8' -c 'CMD ["python3"]' \
    -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' - "$IMAGE" >/dev/null
