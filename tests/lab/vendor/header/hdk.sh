#!/bin/bash
# @LABEL@: script and archive in one file. Leading options belong to the archive, all others to its install.sh.
label="@LABEL@"
file="@FILE@"
sha256="@SHA256@"
size=@SIZE@
skip=@SKIP@

payload() { tail -n +"$skip" "$0"; }

print_help() {
    cat <<'HELP'
Options of the archive (they come first):
  --help | -h       Print this message
  --info            Print what this file is
  --list            Print the list of files in the archive
  --noexec          Do not run the embedded script
  --extract=<path>  Extract to <path> instead of running
  --nox11           Do not spawn an xterm
@HELP@
HELP
}

verify() {
    local found
    found=$(payload | sha256sum | cut -d ' ' -f 1)
    printf 'Verifying archive integrity...  100%%  '
    if [ "$found" != "$sha256" ]; then
        printf '\nError in SHA256 checksums: %s is different from %s\n' "$found" "$sha256" >&2
        exit 2
    fi
    echo ' SHA256 checksums are OK. All good.'
}

noexec=n
target=""
while true; do
    case "${1:-}" in
    -h | --help) print_help && exit 0 ;;
    --info) printf 'Identification: %s\nFile: %s\nUncompressed size: %s bytes\n' "$label" "$file" "$size" && exit 0 ;;
    --list) payload | tar -tf - && exit 0 ;;
    --noexec) noexec=y && shift ;;
    --nox11) shift ;;
    --extract=*) target="${1#*=}" && noexec=y && shift ;;
    *) break ;;
    esac
done

verify
start=$PWD
work=${target:-$(mktemp -d /tmp/selfgzXXXXXXXX)}
mkdir -p "$work" || exit 1
printf 'Uncompressing %s  ' "$label"
payload | tar -xf - -C "$work" || { echo "Extraction failed." >&2 && exit 1; }
echo '100%  '
[ "$noexec" = y ] && exit 0

cd "$work" || exit 1
./install.sh "${0##*/}" "--$start" "$@"
code=$?
cd / && rm -rf "$work"
exit "$code"
