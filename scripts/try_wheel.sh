#!/usr/bin/env bash
# Build the wheel, install it into an environment of its own, and use it from an empty folder.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

make wheel
# the heavy packages come from .venv; kdistill itself only from the wheel
"$repository/.venv/bin/python" -m venv --system-site-packages "$folder/venv"
site=$("$repository/.venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')
"$folder/venv/bin/python" -m pip install -q --no-deps --ignore-installed "$repository"/dist/kdistill-*.whl
printf '%s\n' "$site" >"$("$folder/venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/heavy.pth"

mkdir "$folder/elsewhere" && cd "$folder/elsewhere"
where=$("$folder/venv/bin/python" -c 'import kdistill; print(kdistill.__file__)')
case $where in "$folder"/*) ;; *) echo "the wheel is not what was imported: $where" && exit 1 ;; esac
"$folder/venv/bin/kdistill" list
"$folder/venv/bin/kdistill" train dataset=digits fit.epochs=2 teacher.fit.epochs=2
ls runs/default/*/report.html
