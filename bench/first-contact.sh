#!/bin/sh
# First contact: a fresh clone, an empty NuGet cache, the first README command; then the same again.
# Usage: bench/first-contact.sh [FOLDER OR ADDRESS TO CLONE]     (default: this repository's HEAD)
set -eu
source=${1:-$(cd "$(dirname "$0")/.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export NUGET_PACKAGES="$work/packages" NUGET_HTTP_CACHE_PATH="$work/http" DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
# A compiler server or MSBuild node left from earlier would make the first run look faster than it is.
dotnet build-server shutdown >/dev/null 2>&1 || true
git clone --quiet "$source" "$work/clone"
cd "$work/clone"
for run in first second; do
    start=$(date +%s.%N)
    code=0
    dotnet run --project src/TrtTools.Shell -- examples/quickstart.ps1 >"$work/$run.txt" 2>&1 </dev/null || code=$?
    end=$(date +%s.%N)
    echo "$run run: exit code $code, $(echo "$end - $start" | bc | xargs printf '%.1f') s, $(wc -l <"$work/$run.txt") lines of output"
    [ "$code" -eq 0 ] || { tail -n 20 "$work/$run.txt"; exit 1; }
done
find "$work/packages" -name '*.nupkg' -exec stat -c %s {} + | awk '{ s += $1 } END { printf "downloaded: %d packages, %.0f MB\n", NR, s / 1e6 }'
find out/TrtTools -type f -exec stat -c %s {} + | awk '{ s += $1 } END { printf "out/TrtTools: %d files, %.0f MB\n", NR, s / 1e6 }'
