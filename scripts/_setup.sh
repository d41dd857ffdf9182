#!/usr/bin/env bash
# Sets this checkout up: .venv with the pinned Python packages, node_modules with anvil, forge, cast and OpenZeppelin,
# and solc. What is there already stays, so a second call costs a moment; what an interrupted call left is done again.
#
# Progress goes to stderr. If something is missing, stdout gets the one line that says what, and the status is 1.
# Nothing is written outside the checkout.
set -euo pipefail

cd "$(dirname "$0")/.."
root=$(pwd -P)
log=.cache/setup.log
solc_version=$(sed -n 's/^ *"solc": "\(.*\)".*/\1/p' package.json)

say() { printf 'HCFL set-up: %s\n' "$1" >&2; }

stop() {
    trap - EXIT
    [ -z "${child:-}" ] || kill "$child" 2>/dev/null || true
    [ "$(cat .cache/setup.pid 2>/dev/null)" != $$ ] || rm -f .cache/setup.pid
    printf 'HCFL set-up: %s\n' "$1"
    exit 1
}
trap 'stop "stopped half-way; call it again to go on (log: $log)"' EXIT
trap 'stop "interrupted; call it again to go on"' INT TERM

# Runs "$2"... with its output in the log; if it fails, names the likely cause of "$1" having failed.
logged() {
    local what=$1 cause="see $log"
    shift
    # In the background, as bash would put a signal off until the command ends.
    "$@" >"$log" 2>&1 </dev/null &
    child=$!
    if wait "$child"; then
        child=""
        return
    fi
    child=""
    if grep -qi 'no space left' "$log"; then
        cause="the disk is full; about 8 GB are needed"
    elif grep -qiE 'name resolution|name or service not known|nodename nor servname|EAI_AGAIN|ENOTFOUND|NewConnectionError|ENETUNREACH|EHOSTUNREACH|network is unreachable|ECONNREFUSED|ETIMEDOUT|timed out|ProxyError' "$log"; then
        cause="no network; the first set-up needs one (log: $log)"
    fi
    stop "$what failed: $cause"
}

# Replaces file "$1" by stdin, at once or not at all, with mode "$2".
place() {
    cat >"$1.new"
    chmod "$2" "$1.new"
    mv -f "$1.new" "$1"
}

# Lets no two set-ups of this checkout run at once; one that was killed holds nothing.
lock() {
    local holder told="" file=.cache/setup.pid
    until (set -o noclobber && echo $$ >"$file") 2>/dev/null; do
        holder=$(cat "$file" 2>/dev/null) || continue
        if ps -o args= -p "${holder:-0}" 2>/dev/null | grep -qF _setup.sh; then
            [ -n "$told" ] || say "waiting for the one that is running (process $holder)"
            told=yes
            sleep 0.5
        else
            rm -f "$file"
        fi
    done
}

# What stamp files hold: a folder is complete if it was made here, from the lock files "$@" as they are.
state_of() { printf '%s\n' "$root" && cat "$@"; }
is_complete() { state_of "${@:2}" | cmp -s - "$1"; }

node_packages() {
    local version stamp=node_modules/.complete
    command -v node >/dev/null || stop "Node is missing: install Node 20 or newer (with npm)"
    version=$(node --version) || stop "node does not run: install Node 20 or newer (with npm)"
    version=${version#v}
    [ "${version%%.*}" -ge 20 ] || stop "Node $version is too old: install Node 20 or newer (with npm)"

    is_complete "$stamp" package.json package-lock.json && return
    command -v npm >/dev/null || stop "npm is missing: install it with Node 20 or newer"
    say "anvil, forge and OpenZeppelin from npm (200 MB)"
    logged "npm ci" npm ci --cache "$root/.cache/npm" --ignore-scripts --no-audit --no-fund --no-update-notifier \
        --fetch-retries 2 --fetch-retry-mintimeout 1000 --fetch-retry-maxtimeout 5000
    state_of package.json package-lock.json >"$stamp"
}

# Prints the first Python that will do.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# Which Python to install for, before anything is downloaded; none if that is done.
choose_python() {
    python=""
    is_complete .venv/.complete requirements.txt && .venv/bin/python -c '' 2>/dev/null && return
    # The ceiling is numpy's: ape asks for numpy 1, which has no wheels beyond Python 3.12.
    python=$(find_python) || stop "no Python 3.11 or 3.12 (${PYTHON:-python3} is $("${PYTHON:-python3}" -V 2>/dev/null ||
        echo missing)): install one (uv python install 3.12), or name it as make PYTHON=/path/to/python3.12"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || stop "$python has no venv module: install it (Debian, Ubuntu: apt install python3-venv)"
}

python_packages() {
    local stamp=.venv/.complete
    [ -n "$python" ] || return 0

    # Wheels of this size may not fit into /tmp. Pip asks rustc for its version, and a rustup without settings writes some.
    local -x TMPDIR=$root/.cache/tmp RUSTUP_HOME=$root/.cache/tmp
    rm -rf "$TMPDIR" && mkdir -p "$TMPDIR"

    # A half-installed package can look whole to pip, so only an environment that was complete is added to.
    if [ "$(head -n 1 "$stamp" 2>/dev/null)" != "$root" ] || ! .venv/bin/python -c '' 2>/dev/null; then
        logged "python -m venv" "$python" -m venv --clear .venv
    fi
    rm -f "$stamp"
    say "Python packages (6 GB with PyTorch: some minutes)"
    logged "pip install" .venv/bin/python -m pip install --no-cache-dir --no-input --disable-pip-version-check \
        --retries 3 -r requirements.txt
    rm -rf "$TMPDIR"
    state_of requirements.txt >"$stamp"
}

# The environment variables that keep the tools' data in the checkout, set at the start of each Python of .venv.
environment() {
    local site
    for site in .venv/lib/python3.*/site-packages; do
        place "$site/_hcfl_environment.py" 644 <scripts/_environment.py
        echo 'import _hcfl_environment' | place "$site/_hcfl_environment.pth" 644
    done
}

# Native anvil, forge and cast for .venv/bin (what npm links starts Node first). Ape passes no flags of ours to anvil, so
# its command does: the limit on a transaction's gas that the main net has, and no more than the newest states kept, in
# memory (else it leaves gigabytes in the home directory). And it leaves out a flag of ape's that makes anvil keep every
# step of every transaction, some twenty times as slow; traces are made when they are asked for.
foundry() {
    local os arch tool binary
    os=$(uname -s | tr '[:upper:]' '[:lower:]')
    case $(uname -m) in x86_64 | amd64) arch=amd64 ;; *) arch=arm64 ;; esac
    for tool in anvil forge cast; do
        binary=$root/node_modules/@foundry-rs/$tool-$os-$arch/bin/$tool
        [ -x "$binary" ] || stop "npm brought no $tool for $os-$arch: Linux and macOS on amd64 and arm64 have one"
        if [ $tool = anvil ]; then
            place .venv/bin/anvil 755 <<END
#!/bin/sh
for argument; do
    shift
    [ "\$argument" = --steps-tracing ] || set -- "\$@" "\$argument"
done
exec $(printf %q "$binary") --enable-tx-gas-limit --prune-history 64 "\$@"
END
        else
            printf '#!/bin/sh\nexec %q "$@"\n' "$binary" | place ".venv/bin/$tool" 755
        fi
    done
}

# The native solc if it can be downloaded. If not, the npm one behind a command of the same name: slower to start, the
# same bytecode. The version is written into the command because solcx asks for it several times a compilation.
solc() {
    local folder=.cache/solcx binary
    binary=$folder/solc-v$solc_version
    "$binary" --version 2>/dev/null | grep -qF "Version: $solc_version+" && return
    say "solc $solc_version"
    rm -f "$binary"
    mkdir -p "$folder"
    if SOLCX_BINARY_PATH=$root/$folder .venv/bin/python scripts/_solc.py "$solc_version" >"$log" 2>&1; then return; fi
    place "$binary" 755 <<END
#!/bin/sh
# Written by scripts/_setup.sh.
if [ "\$1" = --version ]; then
    echo "Version: $(node -p 'require("solc").version()')"
    exit
fi
command -v node >/dev/null || { echo "solc here needs node: install Node 20 or newer" >&2; exit 1; }
exec node "\${0%/*}/../../scripts/_solc.js"
END
    "$binary" --version | grep -qF "Version: $solc_version+" || stop "the npm solc does not run (see $binary)"
}

mkdir -p .cache
lock
choose_python
node_packages
python_packages
environment
foundry
solc
rm -f .cache/setup.pid
trap - EXIT
