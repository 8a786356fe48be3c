#!/bin/sh
# Builds environment.zip: the program with Pillow inside, so that a worker needs only python3.
set -eu
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp run.sh thumbnail.py "$work"
"$python" -m pip install --quiet --disable-pip-version-check --target "$work/packages" 'Pillow>=11'
"$python" -c 'import shutil, sys; shutil.make_archive("environment", "zip", sys.argv[1])' "$work"
echo "environment.zip"
