#!/usr/bin/env bash
# Train shortly, answer a data set, merge the adapter into the model, ask the merged model.
set -euo pipefail
rows=$(dirname "$0")/rows/harbour.jsonl
out=$(mktemp -d)
swift sft --model_type demo-chat --dataset "$rows" --dataset_test_ratio 0 --batch_size 4 --num_train_epochs 10 --learning_rate 2e-3 \
  --target_modules ALL --add_output_dir_suffix false --output_dir "$out/run" "$@"
checkpoint=$(ls -td "$out"/run/checkpoint-* | head -n 1)
swift infer --ckpt_dir "$checkpoint" --val_dataset "$rows" --max_new_tokens 32 --do_sample false
swift merge-lora --ckpt_dir "$checkpoint"
printf 'What is a quay?\n' | swift infer --ckpt_dir "$checkpoint-merged" --max_new_tokens 32 --do_sample false
