#!/bin/sh
# docs/python.sh CTDATA RUN [SLICES]: the sampler in Python (ldm/train/sample.py) and ours, one after the other on the same slices
# and weights with the same settings, one slice at a time on all cores. RUN holds ae.pt, unet.pt, restorer.pt and tables.json of the
# bundle that the program carries; PYTHON names an interpreter with PyTorch.
set -eu
data=$(realpath "$1") run=$(realpath "$2") n=${3:-8}
( cd ldm/train && OMP_NUM_THREADS=$(nproc) "${PYTHON:-python3}" sample.py --data "$data" --out "$run" --slices "$n" --samples 8 --scale 3 --start -1 --step-count 10 --restorer "$run" --model ../models/ct256 ) | grep '^mean'
./ctrecon evaluate --quiet --limit "$n" --workers 1 --method tv,pnp-unet,resample --partial 1,4 \
  --set poses=false --set end-scale=3 --set end-perturb=0 "$data"
