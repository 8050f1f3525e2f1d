#!/usr/bin/env bash
# A run is stopped in the middle (kill -9 would do as well) and goes on exactly where its last checkpoint is.
set -euo pipefail
out=$(mktemp -d)
swift sft --model_type demo-chat --dataset "$(dirname "$0")/rows/harbour.jsonl" --dataset_test_ratio 0 --batch_size 2 \
  --gradient_accumulation_steps 1 --num_train_epochs 20 --save_steps 5 --output_dir "$out" "$@" &
run=$!
until ls -d "$out"/demo-chat/v*/checkpoint-5 >/dev/null 2>&1 || ! kill -0 "$run" 2>/dev/null; do sleep 0.2; done
kill -TERM "$run" 2>/dev/null || true
wait "$run" || true
swift sft --resume_from_checkpoint "$(ls -d "$out"/demo-chat/v*)"
