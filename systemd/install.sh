#!/bin/bash
# make install, make uninstall: botrunner as a service of this machine.
#
#   /opt/botrunner/a, /opt/botrunner/b    two installations: an upgrade is made in the one that is not in use
#   /opt/botrunner/current                the one that is; what runs goes on undisturbed until it is restarted
#   /usr/local/sbin/botrunner             the command line, as the service's user
#
# Doing it again is the upgrade. PREFIX is another place than /opt/botrunner, PYTHON another Python than the system's.
set -euo pipefail
umask 022

PREFIX=${PREFIX:-/opt/botrunner}
COMMAND=/usr/local/sbin/botrunner
cd "$(dirname "$0")/.."

fail() {
    echo "error: $1" >&2
    [[ -z ${2-} ]] || echo "hint: $2" >&2
    exit 1
}

needs() {
    [[ $EUID == 0 ]] || fail "make $1 changes the machine, which root may do only" "sudo make $1; without root: make .venv/.ready-to-run && .venv/bin/botrunner install-service --user"
    command -v systemctl >/dev/null || fail "there is no systemd on this machine" "make run starts botrunner without it"
}

# The system's own Python: the service cannot see anybody's home.
find_python() {
    local python
    for python in ${PYTHON:-} /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3 /usr/local/bin/python3; do
        if "$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    fail "there is no Python 3.11 or newer with venv in /usr" "apt-get install python3-venv"
}

fill() {
    local home=$1 python
    python=$(find_python)
    echo "Installing botrunner into $home."
    "$python" -m venv --clear "$home"
    local pip=("$home/bin/python" -m pip --disable-pip-version-check --quiet)
    "${pip[@]}" install --require-hashes --no-deps -r requirements.lock
    "${pip[@]}" install --no-deps --no-build-isolation .
    mkdir -p "$home/share/botrunner"
    cp -r systemd "$home/share/botrunner/"
    cp docs/operations.md "$home/share/botrunner/"
    "$home/bin/botrunner" --version
}

install_it() {
    needs install
    local used slot=a
    used=$(readlink "$PREFIX/current" || true)
    [[ $used != a ]] || slot=b
    fill "$PREFIX/$slot"
    install -D -m 755 systemd/botrunner-command "$COMMAND"
    sed -i "s#/opt/botrunner/current#$PREFIX/current#" "$COMMAND"
    if [[ -n $used ]] && systemctl cat botrunner.service &>/dev/null; then
        BOTRUNNER_PROGRAM=$PREFIX/$slot/bin/botrunner "$COMMAND" check ||
            fail "this version does not take bots.yaml as it is; the one that runs was left alone" "mend it, then make install again"
    fi
    ln -sfn "$slot" "$PREFIX/next" && mv -T "$PREFIX/next" "$PREFIX/current"
    "$PREFIX/current/bin/botrunner" install-service --system --program "$PREFIX/current/bin/botrunner"
}

uninstall_it() {
    needs uninstall
    if [[ -x $PREFIX/current/bin/botrunner ]]; then
        "$PREFIX/current/bin/botrunner" uninstall-service --system ${PURGE:+--purge}
    fi
    rm -rf "${PREFIX:?}/a" "$PREFIX/b" "$PREFIX/current" "$COMMAND"
    rmdir --ignore-fail-on-non-empty "$PREFIX" 2>/dev/null || true
}

case ${1-} in
    install) install_it ;;
    uninstall) uninstall_it ;;
    *) fail "install or uninstall?" ;;
esac
