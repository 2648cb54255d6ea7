# private-root: what fetch-qemu and fetch-libvirt have in common beside private-apt: releases and the suites that hold them, and programs
# taken out of unpacked packages together with the libraries and the loader that they were built for. Sourced by both, with $releases set.

# The suites that hold a version: its own line of the table, else that of its release (10.0.13 -> 10.0).
suites_of() {
    local version
    for version in "$1" "${1%.*}"; do
        awk -v version="$version" '$1 == version { print $2, $3; found = 1 } END { exit !found }' <<<"$releases" &&
            return
    done
}

# The program's version in a Debian version: 1:11.1.3+ds-1~bpo13+1 -> 11.1.3
upstream_of() { sed -E 's/^[0-9]+://; s/[+~-].*//' <<<"$1"; }

# 10.0 asks for any 10.0.x, 10.0.2 for that one.
is_version() { [[ $2 == "$1" || $2 == "$1".* ]]; }

# Makes the strings "<$1><architecture>-linux-gnu<$2>" of a binary lead nowhere, at the same length: the system's own
# folders, where QEMU also looks for modules, and aborts on some of another build, and where the loader also looks
# for libraries that no package of the closure holds (QEMU 5.2 loads libdebuginfod so at every start).
without_path() { LC_ALL=C sed -z -E "s#^($1)([^/]*-linux-gnu$2)\$#/dev/null/\2#"; }

# Copies into $2/lib the loader of the unpacked packages ($1), and the libraries that it says the other arguments need.
# Links are followed: some lead from one package into another.
copy_libraries() {
    local root=$1 to=$2 loader to_loader search lib object
    shift 2
    # From here on, for the loader takes a list of folders apart at each colon and semicolon, and either may be in $root.
    loader=$(cd "$root" && find . -path '*-linux-gnu/ld-linux*.so.*' -print -quit)
    search=$(cd "$root" && find . -name '*.so.*' -printf '%h\n' | sort -u | paste -s -d :)
    while read -r lib; do
        # A library of the system's would make the result depend on this machine.
        [[ $lib == ./* ]] || { say "$lib is not in the packages"; return 1; }
        cp -L "$root/$lib" "$to/lib/"
    done < <(cd "$root" && for object; do
        "$loader" --inhibit-cache --library-path "$search" --list "$object"
    done | sed -n -E 's/^.* => (.+) \(0x[0-9a-f]+\)$/\1/p; s/^.* => not found$/&/p' | sort -u)
    to_loader=$to/lib/${loader##*/}
    without_path '/lib/.{5}|/usr/lib/.' '/' <"$root/$loader" >"$to_loader"
    chmod +x "$to_loader"
}
