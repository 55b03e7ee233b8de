#!/bin/sh
# budget.sh MINUTES DATA OUT: trains the restorer (12 % and 6 %), the autoencoder (25 %) and the latent UNet (52 %) within so many minutes of wall clock;
# making the pairs and measuring come on top. Run again to go on after an interruption. Without a Go compiler (or CONDITIONS, the
# program built elsewhere) there is no restorer, and the UNet is conditioned on FBP alone. PYTHON, PAIRS (slices), BASE (a bundle of the set's image
# size that lends its other networks to the restorer; empty: no restorer), AE, UNET, RESTORER (options) override what is below.
set -eu
bf16() { grep -qw -e amx_bf16 -e avx512_bf16 /proc/cpuinfo 2>/dev/null && echo bf16 || echo fp32; } # a CPU with instructions for it is twice as fast
total=$1 data=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3} slices=${PAIRS:-6000} base=${BASE-$here/../models/ct256}
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  device=cuda
  ae=${AE:---batch 32 --ae-width 48 96 --lr 6e-4}
  unet=${UNET:---batch 128 --width 96 192 256 --lr 4e-4 --warmup 500 --pool 24 --reuse 3 --keep 4}
  restorer=${RESTORER:---batch 32 --lr 5e-4}
else
  device=cpu
  ae=${AE:---batch 8 --crop 128 --lr 1.5e-3}
  unet=${UNET:---batch 16 --lr 4e-4 --pool 48 --reuse 12 --keep 4 --every 240 --precision $(bf16)}
  restorer=${RESTORER:---batch 8 --lr 5e-4 --every 240 --precision $(bf16)}
fi
cond=${CONDITIONS:-$here/conditions/conditions}
[ -n "${CONDITIONS:-}" ] || [ -z "$base" ] || ! command -v go >/dev/null || (cd "$here" && go build -o "$cond" ./conditions)
[ -n "$base" ] && [ -x "$cond" ] || cond=
run() { script=$1 && shift && "$python" -u "$here/$script.py" "$@"; }
stage() { # NAME SHARE FOLDER SCRIPT OPTIONS: trains; skipped when it is done
  name=$1 minutes=$(awk "BEGIN { print $total * $2 }") folder=$3 script=$4
  shift 4
  [ -e "$out/$name.done" ] && return
  run "$script" "$@" --data "$data" --out "$folder" --minutes "$minutes" --resume
  touch "$out/$name.done"
}
export_restorer() { # FOLDER BUNDLE
  [ -e "$2/bundle.json" ] || run restorer export --data "$data" --out "$1" --from-bundle "$base" --bundle "$2" --program "$cond"
}
mkdir -p "$out"
# options are lists of words: unquoted on purpose
# shellcheck disable=SC2086
if [ -n "$cond" ]; then
  if [ -z "${CTRECON_ONNXRUNTIME:-}" ]; then # the library of the Python package will do
    CTRECON_ONNXRUNTIME=$("$python" -c 'import glob, os, onnxruntime; print(*glob.glob(os.path.dirname(onnxruntime.__file__) + "/capi/libonnxruntime.so.*")[:1])')
    [ -n "$CTRECON_ONNXRUNTIME" ] && export CTRECON_ONNXRUNTIME || unset CTRECON_ONNXRUNTIME
  fi
  first=$out/first restored=$out/restored # the bundles after the first and the second training
  pairs() { run conditions --data "$data" --program "$cond" "$@"; }
  if [ ! -e "$restored/bundle.json" ]; then
    pairs --out "$out/scans" --slices "$slices"
    stage first 0.12 "$out/rest" restorer train $restorer --scans "$out/scans" --program "$cond"
    export_restorer "$out/rest" "$first"
    pairs --out "$out/rounds" --slices "$slices" --seed 1 --method fbp-unet-dc --model "$first"
    stage restorer 0.06 "$out" restorer train $restorer --scans "$out/rounds" --second .5 --model "$first" --init "$out/rest" --program "$cond"
    export_restorer "$out" "$restored"
  fi
  pairs --out "$out/pairs" --slices "$slices" --seed 2 --method pnp-unet --model "$restored"
  unet="$unet --pairs $out/pairs --model $restored --program $cond"
  start="--model $restored --program $cond"
fi
# shellcheck disable=SC2086
stage ae 0.25 "$out" train ae $ae
# shellcheck disable=SC2086
stage unet 0.52 "$out" train unet $unet
# shellcheck disable=SC2086
[ -e "$out/tables.json" ] || run measure --data "$data" --out "$out" --slices 48 --device $device ${start:-}
touch "$out/done"
