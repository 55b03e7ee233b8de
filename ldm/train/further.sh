#!/bin/sh
# further.sh restorer|unet START DATA OUT MINUTES: on a GPU, trains a network of START (finetune.py's from_bundle, or an earlier run) for so many minutes
# more, on slices measured there. First the restorer, then the UNet, which is conditioned on the restorer in OUT. The restorer becomes as deep as RESTORER
# says: blocks that START does not have begin as nothing. UNET, RESTORER (options), PAIRS (slices), PYTHON override what is below.
set -eu
stage=$1 start=$2 data=$3 out=$4 minutes=$5
python=${PYTHON:-python3}
options="--data $data --init $start --out $out --minutes $minutes --objects .5 --phantoms .06 --geometries 160"
restorer=${RESTORER:---batch 64 --depth 2 --lr 4e-4 --every 40} unet=${UNET:---batch 256 --lr 4e-4 --warmup 300 --every 40 --keep 4}
cd "$(dirname "$0")"
mkdir -p "$out"
# options are lists of words: unquoted on purpose
# shellcheck disable=SC2086
case $stage in
restorer) "$python" -u restorer.py train $options --simulate 3 --first 0 $restorer ;;
unet)
  cp "$start/ae.pt" "$out/ae.pt"
  "$python" -u train.py unet $options --restorer "$out" --simulate "${PAIRS:-24000}" --simulate-minutes 1.3 $unet
  ;;
*) echo "further.sh: restorer or unet, not $stage" >&2 && exit 2 ;;
esac
touch "$out/$stage.done"
