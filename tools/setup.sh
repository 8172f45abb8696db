#!/bin/sh
# Make a virtual environment with everything in it. Uses uv where it is there or can be installed, else pip.
# usage: sh tools/setup.sh PYTHON VENV
set -eu
python=$1
venv=$2
if [ -z "$python" ]; then
  echo "Penstock needs Python 3.11 to 3.13 (jsonatapy has no wheels for 3.14 yet): install one, or name it: make PYTHON=/path/to/python3.13" >&2
  exit 2
fi
if [ ! -x "$venv/bin/python" ]; then
  echo "Making $venv with $("$python" --version)" >&2
  if ! "$python" -m venv "$venv" 2>/dev/null; then
    rm -rf "$venv"
    if command -v uv >/dev/null 2>&1; then
      uv venv -q --seed --python "$python" "$venv"
    else
      echo "$python has no working venv module. On Debian: apt-get install python3-venv" >&2
      exit 2
    fi
  fi
fi
echo "Installing Penstock and its tools" >&2
if command -v uv >/dev/null 2>&1; then
  uv=uv
elif "$venv/bin/python" -m pip install -q --disable-pip-version-check uv 2>/dev/null; then
  uv="$venv/bin/uv"
else
  uv=
fi
if [ -n "$uv" ]; then
  "$uv" pip install -q --python "$venv/bin/python" -e '.[dev]' && exit
  echo "Trying again with the certificates that the system trusts" >&2
  # Older versions of uv know the second name only.
  UV_SYSTEM_CERTS=true UV_NATIVE_TLS=true "$uv" pip install -q --python "$venv/bin/python" -e '.[dev]' && exit
  echo "uv could not install; going on with pip" >&2
fi
"$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[dev]'
