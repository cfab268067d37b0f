#!/usr/bin/env bash
# Set-up for developing and for the simulated site: system packages, a .venv, the pinned requirements.
# Repeatable; does only what is missing. `setup.sh lanes` also brings what the hosts of other systems are made with.
set -euo pipefail
cd "$(dirname "$0")/../.."

# command -> Debian package that brings it
declare -A needs=(
  [dockerd]=docker.io [debootstrap]=debootstrap [iptables]=iptables [ssh]=openssh-client [ssh-keygen]=openssh-client
  [gpg]=gnupg [dpkg-deb]=dpkg [git]=git [git-lfs]=git-lfs [ip]=iproute2 [openssl]=openssl [python3.11]=python3.11
  [docker-registry]=docker-registry [skopeo]=skopeo [zstd]=zstd
)
if [ "${1:-}" = lanes ]; then
  needs+=(
    [rpmbuild]=rpm [createrepo_c]=createrepo-c [qemu-aarch64-static]=qemu-user-static [qemu-system-x86_64]=qemu-system-x86
    [mkfs.ext4]=e2fsprogs
  )
fi
missing=()
for command in "${!needs[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null || missing+=("${needs[$command]}")
done
python=$(command -v python3.11 || true)
if [ -z "$python" ] || ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then missing+=(python3.11-venv); fi
if [ ${#missing[@]} -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "set-up: install these packages first (as root): ${missing[*]}" >&2
    exit 1
  fi
  echo "set-up: apt-get install ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Debian starts a daemon on installing it; the lab starts its own engine, or uses one that was already running.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

python=$(command -v python3.11)
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install -qq --disable-pip-version-check -r tests/requirements.txt
.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements-fetch.txt
.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable . 2>/dev/null \
  || .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --editable .
touch .venv/.ready
