#!/bin/sh
# docs/variants.sh CTDATA [SLICES]: other geometries, noise and faults with the same settings, on evenly picked val slices; a Markdown row a method and site.
# VARIANT="pattern" runs only the rows whose name matches; METHODS names other methods.
set -eu
data=$1 n=${2:-16}
row() { # NAME FLAGS...
  name=$1
  shift
  case $name in ${VARIANT:-*}) ;; *) return ;; esac
  ./ctrecon evaluate --quiet --limit "$n" --method "${METHODS:-tv,pnp-unet,resample}" "$@" "$data" |
    awk -F'|' -v name="$name" '$3 + 0 && $2 !~ /all/ { gsub(/ ± [0-9.]+/, ""); printf "| %s |%s|%s|%s|%s|%s|%s|%s|\n", name, $2, $4, $5, $6, $7, $8, $9 }'
}
echo '| measured | site | method | PSNR dB | SSIM | HU RMSE in body | chi2 | s |'
echo '|---|---|---|---|---|---|---|---|'
row '25 views, .01 nepers'
row '15 views' --angles 15
row '50 views' --angles 50
row '100 views' --angles 100
row '25 views over 90 degrees' --arc 90
row 'middle 181 bins of 367' --bins 181
row '5 % of the bins dead' --dead 0.05
row '10 000 photons' --photons 1e4
row '100 000 photons' --photons 1e5
row 'axis half a bin off' --offset 0.5
