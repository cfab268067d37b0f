#!/bin/bash
# @LABEL@: script and archive in one file. Knows only --help and the options that its help text names.
sha256="@SHA256@"
size=@SIZE@
skip=@SKIP@

payload() { tail -n +"$skip" "$0"; }

print_help() {
    cat <<'HELP'
Usage: ./@FILE@ [options]
Options:
@HELP@
HELP
}

known() {
    print_help | grep -qE -- "^ +(--help \| )?${1%%=*}[ =]"
}

for option in "$@"; do
    case "$option" in
    -h | --help) print_help && exit 0 ;;
    --?*) known "$option" || { echo "Unrecognized flag : $option" >&2 && print_help && exit 1; } ;;
    *) echo "Unrecognized flag : $option" >&2 && print_help && exit 1 ;;
    esac
done

found=$(payload | sha256sum | cut -d ' ' -f 1)
printf 'Verifying archive integrity...  100%%  '
if [ "$found" != "$sha256" ]; then
    printf '\nError in SHA256 checksums: %s is different from %s\n' "$found" "$sha256" >&2
    exit 2
fi
echo ' SHA256 checksums are OK. All good.'
start=$PWD
work=$(mktemp -d /tmp/selfgzXXXXXXXX)
printf 'Uncompressing @LABEL@ (%s bytes)  ' "$size"
payload | tar -xf - -C "$work" || exit 1
echo '100%  '
cd "$work" || exit 1
./run_main.sh "${0##*/}" "--$start" "$@"
code=$?
cd / && rm -rf "$work"
exit "$code"
