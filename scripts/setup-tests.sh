#!/usr/bin/env bash
# Installs what the tests use beyond the Rust toolchain, where it may: as root, with apt-get. Where it may not, it says
# what is missing, which tests will be left out for it, and the one command that would help. Never fails for that.
set -euo pipefail

# what must be there | Debian package | what is left out without it
needs=(
  'command:cc|gcc|everything: Rust itself links with it'
  'command:make|make|failing system calls and power cuts (tools are compiled)'
  'command:python3|python3|kill loop, failing system calls, power cuts, damaged files, hostile clients'
  'command:curl|curl|the examples in README.md and docs/'
  'command:unshare|util-linux|full disks'
  'command:fusermount3|fuse3|power cuts'
  'file:/usr/include/fuse3/fuse.h|libfuse3-dev|power cuts'
  'command:pkg-config|pkg-config|power cuts'
  'command:faketime|faketime|jumping clocks'
  'command:prlimit|util-linux|running out of open files'
  'command:strace|strace|connections that the kernel does not hand over'
  'command:node|nodejs|the dashboard'
  'command:npm|npm|the dashboard'
  'command:chromium|chromium|the dashboard and the documentation page in a browser'
  'file:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf|fonts-dejavu-core|letters in the pictures of the dashboard'
  'command:nats-server|nats-server|events between depots'
  'glob:/usr/lib/postgresql/*/bin/initdb|postgresql|the importer against real databases'
  'command:openssl|openssl|the importer against real databases'
)

present() { # present KIND:NAME
  case $1 in
  command:*) command -v "${1#command:}" >/dev/null ;;
  file:*) [ -e "${1#file:}" ] ;;
  glob:*) compgen -G "${1#glob:}" >/dev/null ;;
  esac
}

# Postman's own runner, for the collection in docs/.
install_newman() {
  local place=${CARGO_TARGET_DIR:-target}/newman
  if command -v npm >/dev/null && [ ! -e "$place/node_modules/.bin/newman" ]; then
    npm install --silent --no-audit --no-fund --prefix "$place" newman@6.2.2 >/dev/null 2>&1 ||
      echo 'MISSING: newman from npm. Left out: running the collection for Postman.'
  fi
}

# Prometheus' own checker. Not installed here: Debian's package and what it needs are 22 MB to fetch and 320 MB on the disk.
tell_of_promtool() {
  command -v promtool >/dev/null ||
    echo 'NOTE: promtool is not here (Debian package prometheus, 320 MB). Left out: alerts and panels read by Prometheus itself.'
}

packages=()
for need in "${needs[@]}"; do
  IFS='|' read -r what package _ <<<"$need"
  present "$what" || packages+=("$package")
done
if [ ${#packages[@]} -eq 0 ]; then
  install_newman
  tell_of_promtool
  echo 'test set-up: everything is here'
  exit 0
fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "test set-up: installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Debian would start a cluster of its own; the tests start theirs.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1 ||
    { apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1; } ||
    echo 'test set-up: apt-get could not install them'
fi

missing=()
for need in "${needs[@]}"; do
  IFS='|' read -r what package lost <<<"$need"
  present "$what" && continue
  missing+=("$package")
  echo "MISSING: ${what#*:} (Debian package $package). Left out: $lost."
done
if [ ${#missing[@]} -eq 0 ]; then
  echo 'test set-up: everything is here'
else
  echo "test set-up: to run those too: sudo apt-get install ${missing[*]}"
fi
[ -e /dev/fuse ] || echo 'MISSING: /dev/fuse. Left out: power cuts.'
[ "$(id -u)" = 0 ] || echo 'NOTE: not root, so nothing can be mounted. Left out: power cuts, full disks.'
install_newman
tell_of_promtool
