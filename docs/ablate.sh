#!/bin/sh
# docs/ablate.sh CTDATA [SLICES]: the default of resample against each of its choices, on evenly picked val slices; a Markdown row each.
# ABLATE="pattern" runs only the rows whose name matches.
set -eu
data=$1 n=${2:-12}
row() { # NAME FLAGS...
  name=$1
  shift
  case $name in ${ABLATE:-*}) ;; *) return ;; esac
  ./ctrecon evaluate --quiet --limit "$n" --method "${METHOD:-resample}" "$@" "$data" |
    awk -F'|' -v name="$name" '$4 ~ /'"${METHOD:-resample}"'/ { gsub(/ ± [0-9.]+/, ""); printf "| %s |%s|%s|%s|%s|%s|%s|\n", name, $2, $5, $6, $7, $8, $9 }'
}
echo '| what | site | PSNR dB | SSIM | HU RMSE in body | chi2 | s |'
echo '|---|---|---|---|---|---|---|'
row 'default (K = 8)'
row 'K = 1' --samples 1
row 'K = 4' --samples 4
row 'K = 16' --samples 16
row 'H2: 5 steps' --steps 5
row 'H2: 10 steps' --steps 10
row 'H2: 40 steps' --steps 40
row 'H3: start at 0' --set start=0
row 'H3: start at 6' --set start=6
row 'H4: plain encoding' --set plain-encoding=true
row 'H5: no final pixel step' --set end-iters=0
row 'final step: r2 x 3, no draw of the noise' --set end-scale=3 --set end-perturb=0 --set end-chi2=0
row 'H7: no condition' --unconditional
row 'H8: no perturbation' --set perturb=0
row 'H8: no perturbation, eta .85' --set perturb=0 --set eta=0.85
row 'no poses' --set poses=false
row 'r2 x 1' --set r2-scale=1
row 'r2 x 8' --set r2-scale=8
row 'H10: data step to 1e-3 instead of 1e-2' --set tol=1e-3 --set iters=100
row 'end at -5' --set end=-5
METHOD=pnp row 'plug-and-play ADMM'
METHOD=dds row 'DDS'
METHOD=diffpir row 'DiffPIR'
