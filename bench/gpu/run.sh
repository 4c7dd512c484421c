#!/bin/sh
# Takes the pieces that lie beside it, and once all are there unpacks them, once, and runs the GPU bench:
#   sh run.sh [options of the bench, as --parts runs,device]
# GPU_BENCH_DIR is where it unpacks (/tmp/faceoff-gpu), OUT where results go (gpu-results). Needs sh, gzip, tar.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${GPU_BENCH_DIR:-/tmp/faceoff-gpu}
out=${OUT:-gpu-results}
mkdir -p "$dir/pieces" "$out"
for file in "$here"/*; do
  case ${file##*/} in
    node.gz.* | app.tar.br.* | manifest.* | unpack.mjs | libraries.py) [ "$here" = "$dir/pieces" ] || cp "$file" "$dir/pieces/" ;;
  esac
done
missing=
while read -r _ name; do
  [ -z "$name" ] || [ -e "$dir/pieces/$name" ] || missing="$missing $name"
done <"$dir/pieces/manifest.txt"
if [ -n "$missing" ]; then
  echo "still missing:$missing"
  exit 0
fi
read -r id <"$dir/pieces/manifest.txt"
if [ ! -e "$dir/unpacked-$id" ]; then
  rm -rf "$dir/app"
  cat "$dir"/pieces/node.gz.* | gzip -dc >"$dir/node"
  chmod +x "$dir/node"
  "$dir/node" "$dir/pieces/unpack.mjs" "$dir/pieces" "$dir"
  : >"$dir/unpacked-$id"
fi
libraries=
if command -v python3 >/dev/null 2>&1; then libraries=$(python3 "$dir/pieces/libraries.py" || true); fi
[ ! -d "$dir/app/tensorrt" ] || libraries=$dir/app/tensorrt:$libraries
if [ -n "$libraries" ]; then
  LD_LIBRARY_PATH=${libraries%:}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export LD_LIBRARY_PATH
fi
echo "libraries: ${LD_LIBRARY_PATH:-those of the system}"
exec "$dir/node" "$dir/app/dist/bench/gpu.js" --out "$out" "$@"
