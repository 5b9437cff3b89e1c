#!/bin/sh
# Makes a Python 3.13 environment with Home Assistant in it: venv.sh FOLDER.
# The Python is $HA_PYTHON, or python3.13, or one of pyenv's.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

python=${HA_PYTHON:-}
if [ -z "$python" ] && python3.13 -c '' 2>/dev/null; then python=python3.13; fi
if [ -z "$python" ] && command -v pyenv >/dev/null; then
	version=$(pyenv versions --bare | grep -E '^3\.13\.[0-9]+$' | tail -n 1)
	if [ -n "$version" ]; then python=$(pyenv prefix "$version")/bin/python3; fi
fi
if [ -z "$python" ]; then
	echo 'make ha-check needs Python 3.13, on which Home Assistant runs: install it, and say where with HA_PYTHON=...' >&2
	exit 1
fi

"$python" -m venv --clear "$1"
# It asks for 3.13.2 or newer, but what is used of it runs on 3.13.0 as well.
"$1/bin/python" -m pip install --disable-pip-version-check --quiet --no-compile --no-deps --only-binary=:all: \
	--ignore-requires-python --require-hashes -r "$here/requirements.txt"
