#!/usr/bin/env bash
# Build the product's image from the Dockerfile.
#
#   scripts/image.sh [name:tag]
#
# The engine is the one that `docker` talks to; if none answers, the tests' private one is started.
set -euo pipefail
cd "$(dirname "$0")/.."

IMAGE=${1:-edgerouter:latest}
docker version >/dev/null 2>&1 || eval "$(scripts/dockerd-up.sh)"
scripts/mkbase.sh
docker build --quiet --force-rm --tag "$IMAGE" . >/dev/null
echo "$IMAGE"
