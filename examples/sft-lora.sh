#!/usr/bin/env bash
# LoRA on a registered set and a file of your own.
set -euo pipefail
here=$(dirname "$0")
swift sft --model_type demo-chat --sft_type lora --target_modules ALL --lora_rank 16 --learning_rate 2e-3 \
  --dataset self-cognition#50 "$here/rows/harbour.jsonl" --model_name Robin --model_author "the harbour office" \
  --num_train_epochs 4 --batch_size 8 --output_dir output "$@"
