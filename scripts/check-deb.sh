#!/usr/bin/env bash
# Installs target/debian/railfleet_*.deb on this machine, looks at what is there, lets the program work, and removes it
# again; what was there before is left as it was. For a machine that has no railfleet and where this user is root.
set -euo pipefail
cd "$(dirname "$0")/.."

package=$(ls -t "${CARGO_TARGET_DIR:-target}"/debian/railfleet_*.deb | head -1)
if [ "$(id -u)" != 0 ] || dpkg -s railfleet >/dev/null 2>&1 || [ -e /var/lib/railfleet ]; then
  echo 'SKIPPED: the package is installed already, /var/lib/railfleet is there, or this user is not root'
  exit 0
fi
fail() {
  echo "FAILED: $1"
  exit 1
}
is() { # is PATH "MODE OWNER:GROUP"
  local found
  found=$(stat -c '%a %U:%G' "$1") || fail "$1 is not there"
  [ "$found" = "$2" ] || fail "$1 is $found, not $2"
}
had_account=$(getent passwd railfleet || true)
leave() {
  dpkg --purge railfleet >/dev/null 2>&1 || true
  rm -rf /var/lib/railfleet
  [ -n "$had_account" ] || deluser --quiet --system railfleet >/dev/null 2>&1 || true
}
trap leave EXIT

dpkg -i "$package"
is /usr/bin/railfleet '755 root:root'
is /etc/railfleet/railfleet.toml '640 root:railfleet'
is /var/lib/railfleet '700 railfleet:railfleet'
is /usr/lib/systemd/system/railfleet.service '644 root:root' 2>/dev/null || is /lib/systemd/system/railfleet.service '644 root:root'
for page in railfleet railfleet-serve railfleet-doctor; do
  is "/usr/share/man/man1/$page.1.gz" '644 root:root'
  gzip -t "/usr/share/man/man1/$page.1.gz"
done
is /usr/share/bash-completion/completions/railfleet '644 root:root'
is /usr/share/doc/railfleet/operations.md '644 root:root'
is /usr/share/railfleet/prometheus/railfleet.rules.yml '644 root:root'
is /usr/share/railfleet/grafana/dashboards/railfleet.json '644 root:root'
if dpkg -L railfleet | xargs -d '\n' stat -c '%a %n' | grep -E '^[0-9]*[2367] '; then
  fail 'anybody may write to these'
fi

as() { setpriv --reuid=railfleet --regid=railfleet --clear-groups -- "$@"; }
echo 'a sentence to log in with' |
  as railfleet user add anna --role SUPER_ADMIN --password-stdin --data /var/lib/railfleet --config /etc/railfleet/railfleet.toml
as railfleet verify /var/lib/railfleet
# It may find a disk or a clock that should be looked at; it may not fail to look.
as railfleet doctor --data /var/lib/railfleet --config /etc/railfleet/railfleet.toml || [ $? = 1 ]

dpkg --purge railfleet
[ -e /usr/bin/railfleet ] && fail 'the program is still there'
[ -d /var/lib/railfleet/log ] || fail 'the log went with the package'
echo "passed: $package"
