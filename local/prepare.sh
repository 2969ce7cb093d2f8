# shellcheck shell=sh
# Sourced by the scripts in bin/. Finds a Python, makes .venv and installs the pinned packages,
# and does nothing of that when it has been done. Every failure is a sentence. Expects ROOT.

VENV="$ROOT/.venv"
PYTHON_IN_VENV="$VENV/bin/python"

say() { printf '· %s\n' "$*"; }

# refuse STATUS SENTENCE: say why not, and end.
refuse() {
    status=$1
    shift
    printf '%s\n' "$*" >&2
    exit "$status"
}

# Tools want a home folder they can write to: services and containers often have none.
give_a_home() {
    if [ -z "${HOME:-}" ] || [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then
        HOME="$ROOT/var/home"
        mkdir -p "$HOME" 2>/dev/null || HOME="${TMPDIR:-/tmp}"
        export HOME
    fi
}

# Run a command that takes a while, so that a signal to this script ends the command too.
patiently() {
    "$@" </dev/null &
    child=$!
    trap 'kill "$child" 2>/dev/null || :; wait "$child" 2>/dev/null || :; let_go; exit 143' TERM INT HUP
    if wait "$child"; then result=0; else result=$?; fi
    trap - TERM INT HUP
    return "$result"
}

find_python() {
    older=""
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        version=$("$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            FOUND_PYTHON=$(command -v "$candidate")
            return 0
        fi
        older=${older:-$version}
    done
    if [ -n "$older" ]; then
        refuse 1 "Dukani needs Python 3.11 or newer, and this machine has $older." \
            "Install a newer one, or name it: PYTHON=/path/to/python3.11 $0"
    fi
    refuse 1 "Dukani needs Python 3.11 or newer, and no Python was found." \
        "On Debian or Ubuntu: sudo apt install python3 python3-venv"
}

uv_works() { command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; }

venv_works() {
    [ -x "$PYTHON_IN_VENV" ] && "$PYTHON_IN_VENV" - "$VENV" 2>/dev/null <<'PY'
import os, sys
sys.exit(sys.version_info < (3, 11) or os.path.realpath(sys.prefix) != os.path.realpath(sys.argv[1]))
PY
}

has_pip() { "$PYTHON_IN_VENV" -c 'import pip' 2>/dev/null; }

make_venv() {
    find_python
    rm -rf "$VENV"
    say "Making .venv with $FOUND_PYTHON"
    if "$FOUND_PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        patiently "$FOUND_PYTHON" -m venv "$VENV" >"$ROOT/var/prepare.log" 2>&1 || why_not "The virtual environment could not be made"
    elif uv_works; then
        patiently uv venv --quiet --python "$FOUND_PYTHON" "$VENV" >"$ROOT/var/prepare.log" 2>&1 || why_not "The virtual environment could not be made"
    else
        refuse 1 "Python's venv module is missing. On Debian or Ubuntu: sudo apt install python3-venv"
    fi
}

# why_not WHAT: explain the end of the log of a preparation that failed.
why_not() {
    let_go
    if grep -qi 'no space left on device' "$ROOT/var/prepare.log" 2>/dev/null; then
        refuse 1 "The disk is full. Free some space and start again."
    fi
    tail -n 12 "$ROOT/var/prepare.log" >&2 2>/dev/null || true
    refuse 1 "$1; the lines above say why, and all of them are in var/prepare.log."
}

stamp_of() {
    "$PYTHON_IN_VENV" - "$ROOT/$1" <<'PY'
import hashlib, os, sys
path = sys.argv[1]
digest = hashlib.sha256(open(path, "rb").read() + sys.version.encode()).hexdigest()
print(os.path.basename(path), digest)
PY
}

installed() { venv_works && [ -f "$VENV/installed" ] && grep -qxF "$(stamp_of "$1")" "$VENV/installed"; }

check_room() {
    # The fourth column of POSIX df is what is free, in KiB.
    # shellcheck disable=SC2046
    set -- $(df -Pk "$ROOT" 2>/dev/null | tail -n 1)
    free_mb=$((${4:-99999999} / 1024))
    if [ "$free_mb" -lt 600 ]; then
        refuse 1 "The disk of $ROOT is almost full: $free_mb MB are free and the packages need 600 MB." \
            "Free some space and start again."
    fi
}

# Two starts at once must not install into one folder.
take_turn() {
    while ! mkdir "$ROOT/var/prepare.lock" 2>/dev/null; do
        owner=$(cat "$ROOT/var/prepare.lock/pid" 2>/dev/null || echo "")
        if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
            rm -rf "$ROOT/var/prepare.lock"
        else
            sleep 1
        fi
    done
    echo $$ >"$ROOT/var/prepare.lock/pid"
    TURN=ours
}

let_go() {
    if [ "${TURN:-}" = ours ]; then
        rm -rf "$ROOT/var/prepare.lock"
        TURN=""
    fi
}

# prepare FILE: .venv exists and holds exactly what FILE pins.
prepare() {
    give_a_home
    if installed "$1"; then return 0; fi
    if [ ! -w "$ROOT" ] || ! mkdir -p "$ROOT/var" 2>/dev/null || [ ! -w "$ROOT/var" ]; then
        refuse 1 "$ROOT cannot be written by this user, so packages cannot be installed there." \
            "Clone it as yourself and start again."
    fi
    check_room
    take_turn
    if ! installed "$1"; then
        # A .venv without pip is what is left when making it was cut off.
        { venv_works && { has_pip || uv_works; }; } || make_venv
        say "Installing packages from $1 (once; a minute or two)"
        install_packages "$1" || why_not "The packages could not be installed"
        {
            stamp_of requirements.txt
            if [ "$1" != requirements.txt ]; then stamp_of "$1"; fi
        } >"$VENV/installed"
    fi
    let_go
}

# also FILE [once]: what FILE pins as well, after `prepare`. 1 when it cannot be had; with `once` that
# is found out a single time, so that a machine without it starts as fast as any other.
also() {
    if installed "$1"; then return 0; fi
    missed="without $(stamp_of "$1")"
    if [ "${2:-}" = once ] && grep -qxF "$missed" "$VENV/installed"; then return 1; fi
    take_turn
    say "Installing packages from $1 (once)"
    if install_packages "$1"; then
        stamp_of "$1" >>"$VENV/installed"
        let_go
        return 0
    fi
    printf '%s\n' "$missed" >>"$VENV/installed"
    let_go
    return 1
}

# Bytecode is left to the first import: most modules of most packages are never read.
install_packages() {
    if uv_works && patiently uv pip install --quiet --python "$PYTHON_IN_VENV" \
        --require-hashes -r "$ROOT/$1" >"$ROOT/var/prepare.log" 2>&1; then
        return 0
    fi
    # Without uv, or when it is not set up for this network as pip is.
    has_pip || return 1
    patiently "$PYTHON_IN_VENV" -m pip install --quiet --disable-pip-version-check --no-input --no-compile \
        --require-hashes -r "$ROOT/$1" >"$ROOT/var/prepare.log" 2>&1
}
