#!/usr/bin/env bash
# usage: demo.sh CHAR-LM INCLUDE-DIR WORK-DIR
# Trains a character language model on the text of MLIR's headers, lets it
# write, and compares compiled code with eager LibTorch.
set -euo pipefail
char_lm=$1 include=$2 work=$3

if [ ! -d "$include/mlir" ]; then
  echo "demo: error: expected MLIR's headers in $include/mlir, found no such folder" >&2
  exit 1
fi
mkdir -p "$work"
text=$work/mlir-headers.txt
(cd "$include" && find mlir -name '*.h' -print0 | LC_ALL=C sort -z | xargs -0 cat) >"$text.tmp"
mv "$text.tmp" "$text"

title() { printf '\n== %s\n' "$*"; }
title "Training on the text of MLIR's headers (the last tenth is held out)"
"$char_lm" train --data="$text" --model-dir="$work"
title "Text that the model writes"
"$char_lm" generate --model-dir="$work" --length=500
title "Compiled code against eager LibTorch, the same model"
"$char_lm" bench
