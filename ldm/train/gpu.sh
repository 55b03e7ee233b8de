#!/bin/sh
# gpu.sh DATA RUN COLLECT [SECONDS [MINUTES]]: the half-hour recipe (budget.sh) on a lent GPU that is used in sittings of limited length.
#
# The first call starts training in a session of its own (setsid), so that it outlives the call; each call waits SECONDS (default 540)
# or until all is done, then packs what there is into COLLECT as pieces below 16 MiB. Call it again until it says "done". DATA is a folder
# in our format that travels with the tree, in an ignored folder. At home: cat COLLECT/run.tar.* | tar -xf - -C RUN
# On a fresh machine, put what was packed back into RUN and training goes on with the next network.
set -eu
data=$1 run=$2 collect=$3 seconds=${4:-540} minutes=${5:-26}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$run" "$collect"
alive() { [ -e "$run/pid" ] && kill -0 "$(cat "$run/pid")" 2>/dev/null; }
if [ ! -e "$run/done" ] && ! alive; then
  setsid sh "$here/budget.sh" "$minutes" "$data" "$run" >>"$run/log.txt" 2>&1 </dev/null &
  echo $! >"$run/pid"
fi
waited=0
while [ ! -e "$run/done" ] && alive && [ "$waited" -lt "$seconds" ]; do
  sleep 1
  waited=$((waited + 1))
done
tail -n 12 "$run/log.txt"
rm -f "$collect"/run.tar.*
# snapshots and pairs stay behind: FILES="unet-075.pt" fetches others; restored/ is what export.py --restorer needs of that bundle
(cd "$run" && ls ${FILES:-ae.pt ae.done unet.pt restorer.pt restorer.done restored/bundle.json restored/restorer.onnx *.csv *.png tables.json log.txt} 2>/dev/null) |
  tar -cf - -C "$run" -T - | split -b 15m -d - "$collect/run.tar."
if [ -e "$run/done" ]; then
  echo done
elif ! alive; then
  echo "training stopped before it was done; see $run/log.txt" >&2
  exit 1
fi
