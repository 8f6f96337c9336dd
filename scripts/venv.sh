#!/usr/bin/env bash
# Make .venv and install the project into it (editable), with an extra if one is named.
#
#   scripts/venv.sh [test|dev]
#
# Nothing happens when it was done before and pyproject.toml is the same. PYTHON chooses the Python.
set -euo pipefail
cd "$(dirname "$0")/.."

extra=${1:-}
version=$(sha256sum pyproject.toml | cut -c1-16)

is_done() { # A larger extra contains the smaller ones.
  local name
  for name in "$@"; do
    [ "$(cat ".venv/.installed-$name" 2>/dev/null || true)" = "$version" ] && return 0
  done
  return 1
}
case $extra in
"") ! is_done plain test dev || exit 0 ;;
test) ! is_done test dev || exit 0 ;;
dev) ! is_done dev || exit 0 ;;
*)
  echo "venv: unknown extra $extra (test or dev)" >&2
  exit 2
  ;;
esac

new_enough() {
  "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null
}
find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}
install_debian_python() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "venv: $1. On Debian 12 or newer: sudo apt-get install python3-venv" >&2
    exit 1
  fi
  echo "venv: installing Debian's python3-venv"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
    python3 python3-venv ca-certificates >/dev/null
}

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  python=$(find_python)
  if [ -z "$python" ]; then
    install_debian_python "Python 3.11 or newer is not installed"
    python=$(find_python)
    [ -n "$python" ] || {
      echo "venv: this system's Python is older than 3.11; set PYTHON=/path/to/a/newer/python3" >&2
      exit 1
    }
  fi
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    install_debian_python "$python cannot make virtual environments (ensurepip is missing)"
    "$python" -c 'import ensurepip' 2>/dev/null || python=/usr/bin/python3
  fi
  "$python" -m venv .venv
fi

echo "venv: installing edgerouter${extra:+[$extra]} into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${extra:+[$extra]}"
echo "$version" >".venv/.installed-${extra:-plain}"
