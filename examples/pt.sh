#!/usr/bin/env bash
# Continued pre-training on plain text, a text a line; long texts are cut into blocks and nothing is lost.
set -euo pipefail
swift pt --model_type demo-chat --dataset "$(dirname "$0")/rows/log_book.txt" --max_length 256 --packing true \
  --dataset_test_ratio 0 --learning_rate 1e-4 --num_train_epochs 3 --batch_size 1 --output_dir output "$@"
