# shellcheck shell=bash
# Sourced by each peer's scripts. README.md beside it says what they promise.

workspace=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Where a peer is installed: folder_of NAME. Made by its install.
folder_of() { (cd "$workspace" && realpath -m "${PARLOR_PEERS:-target/peers}/$1"); }

# Ends because the peer can't be installed or started here: cannot REASON.
cannot() {
    echo "$1" >&2
    exit 3
}

# Runs one step of an install; what it prints goes into a file: step FOLDER REASON COMMAND...
# Where it fails, the peer is left out with this reason, not with pages of a build tool's output.
step() {
    local log="$1/install.log" reason=$2
    shift 2
    printf '$ %s\n' "$*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null || cannot "$reason (see $log)"
}

# Makes sure that a program is there, from Debian's packages where it is not: debian PROGRAM PACKAGE...
debian() {
    local program=$1 root=()
    shift
    ! command -v "$program" >/dev/null || return 0
    command -v apt-get >/dev/null || cannot "$program is missing, and this is no Debian to install $* from"
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    if ! {
        "${root[@]}" apt-get update -q &&
            "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" &&
            command -v "$program"
    } >/dev/null 2>&1 </dev/null; then
        cannot "$program is missing, and installing $* did not work"
    fi
}

# Installs what package-lock.json names, unless that is there already, and copies the server beside it: packages FOLDER OPTION...
packages() {
    local folder=$1
    shift
    debian node nodejs
    debian npm npm
    mkdir -p "$folder"
    # npm's own record of what it installed is the last thing that it writes.
    if ! [ -f "$folder/node_modules/.package-lock.json" ] || ! cmp -s package-lock.json "$folder/package-lock.json"; then
        cp package.json package-lock.json "$folder/"
        step "$folder" "npm could not install its packages" npm ci --prefix "$folder" --no-audit --no-fund "$@"
    fi
    cp server.mjs "$folder/"
}

# The version of a crate in a lock file: locked FILE CRATE.
locked() {
    awk -v crate="$2" '$1 == "name" && $3 == "\"" crate "\"" { found = 1 }
        found && $1 == "version" { gsub(/"/, "", $3); print crate, $3; exit }' "$1"
}

# As many sockets as this process may have.
raise_limits() { ulimit -n "$(ulimit -Hn)"; }

# The one argument of a start: a port of 127.0.0.1.
port_of() {
    [[ $# -eq 1 && $1 =~ ^[0-9]+$ ]] || {
        echo "usage: start PORT" >&2
        exit 2
    }
    printf '%s\n' "$1"
}
