#!/bin/sh
# budget.sh MINUTES DATA OUT: trains autoencoder (30 %), latent UNet (58 %) and, where there are pairs, the rival of rival.py (8 %) within a wall-clock budget,
# then measures the tables. Run again to go on after an interruption. PYTHON, AE, UNET, RIVAL (options of train.py) override what is below.
set -eu
bf16() { grep -qw -e amx_bf16 -e avx512_bf16 /proc/cpuinfo 2>/dev/null && echo bf16 || echo fp32; } # a CPU with instructions for it is twice as fast
total=$1 data=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  device=cuda
  ae=${AE:---batch 32 --ae-width 48 96 --lr 6e-4}
  unet=${UNET:---batch 128 --width 96 192 256 --lr 4e-4 --warmup 500 --pool 24 --reuse 3 --keep 4}
  rival=${RIVAL:---batch 64}
else
  device=cpu
  ae=${AE:---batch 8 --crop 128 --lr 1.5e-3}
  unet=${UNET:---batch 16 --lr 4e-4 --pool 48 --reuse 12 --keep 4 --every 240 --precision $(bf16)}
  rival=${RIVAL:---batch 8 --every 240}
fi
# With a Go compiler, or a program conditions/conditions that was built elsewhere, the UNet is conditioned on TV too.
cond=$here/conditions/conditions
[ -x "$cond" ] || (cd "$here" && command -v go >/dev/null && go build -o "$cond" ./conditions) || true
pairs=
if [ -x "$cond" ]; then
  "$python" "$here/conditions.py" --data "$data" --out "$out/pairs" --slices "${PAIRS:-6000}" --program "$cond"
  pairs="--pairs $out/pairs --program $cond"
fi
share() { awk "BEGIN { print $total * $1 }"; }
stage() { # NAME SHARE OPTIONS: skipped when it is done
  name=$1 part=$2
  shift 2
  [ -e "$out/$name.done" ] && return
  run="$here/train.py $name"
  [ "$name" != rival ] || run="$here/rival.py train"
  # shellcheck disable=SC2086
  "$python" -u $run --data "$data" --out "$out" --minutes "$(share "$part")" --resume "$@"
  touch "$out/$name.done"
}
mkdir -p "$out"
# options are lists of words: unquoted on purpose
stage ae 0.30 $ae
stage unet 0.58 $unet $pairs
[ -e "$out/tables.json" ] || "$python" "$here/measure.py" --data "$data" --out "$out" --slices 48 --device $device --program "$cond"
[ -z "$pairs" ] || stage rival 0.08 $rival --pairs "$out/pairs"
touch "$out/done"
