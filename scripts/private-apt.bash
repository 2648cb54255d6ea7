# private-apt: what fetch-qemu, fetch-libvirt, fetch-kernel, fetch-bochs and fetch-dumps have in common; sourced by each, in the project's
# folder, with $program set to the script's name, $instead to what to do where nothing can be fetched, and $cache to the folder to
# fetch into. $archive_type is deb-src where sources are fetched.
#
# An apt of its own below $tmp: it takes from the system the way to Debian's mirror and Debian's keys, knows no installed
# package, and installs nothing.

say() { printf '%s: %s\n' "$program" "$*" >&2; }

unavailable() {
    say "$*; $instead"
    exit 3
}

# Debian's mirror as this system's own sources name it (.list and .sources alike). Security and -updates
# suites may live elsewhere, so the address is taken from a whole release. --no-release-info: no list may be here yet.
debian_mirror() {
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 ~ /^(bullseye|bookworm|trixie|forky|(old)*stable|testing|unstable|sid)$/ && !seen++ { print $2 }'
}

# Debian's own keys, wherever their package puts them.
debian_keyring() {
    dpkg-query --listfiles debian-archive-keyring 2>/dev/null |
        awk '/\/debian-archive-keyring\.(gpg|pgp)$/ && !seen++'
}

# A private apt in $tmp: it knows the given suites and no installed package.
configure_apt() {
    local suite
    mkdir -p "$tmp"/state/lists/partial "$tmp"/cache/archives/partial
    : >"$tmp/status"
    for suite; do
        printf '%s [signed-by=%s] %s %s main\n' "${archive_type-deb}" "$keyring" "$mirror" "$suite"
    done >"$tmp/sources.list"
    # Read with -c, hence after the system's configuration, of which only the way to the network may stay:
    # its hooks act on the system. The sandbox user cannot write below a private folder.
    cat >"$tmp/apt.conf" <<-END
		#clear APT::Update;
		#clear DPkg::Pre-Install-Pkgs;
		Acquire::AllowInsecureRepositories "false";
		Acquire::AllowWeakRepositories "false";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		APT::Default-Release "$1";
		APT::Get::AllowUnauthenticated "false";
		APT::Sandbox::User "root";
		APT::Update::Error-Mode "any";
		Dir::Cache "$tmp/cache";
		Dir::Cache::archives "archives";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::Etc::sourcelist "$tmp/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State "$tmp/state";
		Dir::State::lists "lists";
		Dir::State::status "$tmp/status";
	END
}

private_apt() {
    local tool=$1
    shift
    "$tool" -c "$tmp/apt.conf" "$@" </dev/null
}

# The lists of the suites that configure_apt was given.
update_lists() {
    private_apt apt-get -q update >"$tmp/log" 2>&1 ||
        { tail -n 5 "$tmp/log" >&2; unavailable "this system's Debian mirror does not offer $1"; }
}

# Finds the mirror and the keys, takes the cache's lock, and makes $work, which is gone when the script ends.
prepare() {
    [[ $cache != *[\"$'\n']* ]] || unavailable "apt's configuration cannot name $cache, which has a quotation mark in its path"
    command -v apt-get >/dev/null || unavailable "this system has no apt"
    mirror=$(debian_mirror) || true
    [[ $mirror ]] || unavailable "this system's apt sources name no Debian mirror"
    keyring=$(debian_keyring) || true
    [[ $keyring ]] || unavailable "the package debian-archive-keyring, which signatures are checked with, is not installed"

    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    flock -n 9 || { say "waiting for another $program"; flock 9; }
    rm -rf "$cache"/.partial.* # of a run that was killed: whoever holds the lock is alone here
    work=$(mktemp -d "$cache/.partial.XXXXXX")

    # Job control gives each version a process group, so that an interrupt can end apt and dpkg with it.
    set -m
    jobs_running=()
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# shellcheck disable=SC2317 # reached by the traps
cleanup() {
    trap '' INT TERM HUP
    for job in "${jobs_running[@]}"; do kill -TERM -- "-$job" 2>/dev/null || true; done
    wait 2>/dev/null # bash would tell of each job that was ended
    rm -rf "$work"
}

# Calls `fetch` for each version at once, but for those that `present` finds: another run may have brought them while this
# one waited for the lock. Exits with the worst status.
fetch_each() {
    local version status=0 code
    for version; do
        present "$version" && continue
        fetch "$version" &
        jobs_running+=($!)
    done
    for job in "${jobs_running[@]}"; do
        wait "$job" || { code=$?; ((status >= code)) || status=$code; }
    done
    jobs_running=()
    exit "$status"
}
