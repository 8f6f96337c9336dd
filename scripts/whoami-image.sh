#!/usr/bin/env bash
# Build the tests' backend image, er/whoami:local: one static binary on an empty image.
# It is built again only when its source has changed.
set -euo pipefail

SOURCE=$(cd "$(dirname "$0")/../tests/support/docker/whoami" && pwd)
IMAGE=${1:-er/whoami:local}

exec 9>"${TMPDIR:-/tmp}/er-whoami-image.lock" # Parallel test sessions build it once.
flock -w 120 9
version=$(cat "$SOURCE"/* | sha256sum | cut -c1-16)
built=$(docker image inspect -f '{{index .Config.Labels "er.source"}}' "$IMAGE" 2>/dev/null || true)
[ "$built" != "$version" ] || exit 0

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
gcc -O2 -Wall -Wextra -Werror -static -pthread -s -o "$context/whoami" "$SOURCE/whoami.c"
# `import` instead of `build`: it needs neither a builder nor a base image.
tar -C "$context" -c whoami | docker import -c 'ENTRYPOINT ["/whoami"]' -c 'EXPOSE 80' \
  -c "LABEL er.source=$version" - "$IMAGE" >/dev/null
