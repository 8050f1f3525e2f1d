"""Keys of axolotl's configuration that need no code: another name, no effect, or no counterpart yet."""

from __future__ import annotations

__all__ = ["ABSENT", "EXCLUSIVE", "NO_EFFECT", "PASSED_ON", "RENAMED"]

RENAMED = {
    "base_model": "model_id_or_path",
    "revision_of_model": "model_revision",
    "device_map": "device_map_config",
    "bnb_4bit_quant_type": "bnb_4bit_quant_type",
    "shuffle_merged_datasets": "shuffle_dataset",
    "dataset_prepared_path": "dataset_cache_dir",
    "dataset_processes": "preprocess_num_proc",
    "sequence_len": "max_length",
    "sample_packing": "packing",
    "default_system_message": "system",
    "lora_r": "lora_rank",
    "optim_target_modules": "galore_target_modules",
    "micro_batch_size": "batch_size",
    "num_epochs": "num_train_epochs",
    "eval_max_new_tokens": "max_new_tokens",
    "flash_attention": "use_flash_attn",
    "auto_resume_from_checkpoints": "auto_resume",
    "lr_quadratic_warmup": "lr_quadratic_warmup",
    "cosine_min_lr_ratio": "cosine_min_lr_ratio",
    "cosine_constant_lr_ratio": "cosine_constant_lr_ratio",
    "lr_div_factor": "lr_div_factor",
    "loss_watchdog_threshold": "loss_watchdog_threshold",
    "loss_watchdog_patience": "loss_watchdog_patience",
    "torch_compile": "torch_compile",
    "torch_compile_backend": "torch_compile_backend",
    "relora_steps": "relora_steps",
    "relora_warmup_steps": "relora_warmup_steps",
    "relora_anneal_steps": "relora_anneal_steps",
    "relora_prune_ratio": "relora_prune_ratio",
}
"""Keys that are an argument by another name."""

PASSED_ON = (
    "tf32", "ddp_bucket_cap_mb", "gradient_checkpointing_kwargs",
)  # fmt: skip
"""Keys that transformers' TrainingArguments has by the same name: they go into hf_args."""

NO_EFFECT = {
    "sample_packing_eff_est": "an estimate that packing does not need",
    "total_num_tokens": "an estimate that packing does not need",
    "torchdistx_path": "only for the optimizer adamw_anyprecision",
    "local_rank": "the launcher sets it",
    "is_falcon_derived_model": "the family is found from the weights",
    "is_llama_derived_model": "the family is found from the weights",
    "is_qwen_derived_model": "the family is found from the weights",
    "is_mistral_derived_model": "the family is found from the weights",
}
"""Keys that are read and need nothing done; the reason goes into the note."""

ABSENT = {
    "base_model_ignore_patterns": "",
    "base_model_config": "",
    "tokenizer_config": "",
    "tokenizer_legacy": "",
    "resize_token_embeddings_to_32x": "",
    "special_tokens": "",
    "tokens": "",
    "gpu_memory_limit": "give device_max_memory, one entry for each GPU",
    "bfloat16": "pure bf16 training is not there; bf16: true trains with mixed precision",
    "float16": "pure fp16 training is not there; fp16: true trains with mixed precision",
    "push_dataset_to_hub": "",
    "dataset_keep_in_memory": "",
    "dataset_shard_num": "",
    "dataset_shard_idx": "",
    "pad_to_sequence_len": "batches have no padding here",
    "peft_layers_to_transform": "a target_regex can name the layers",
    "lora_fan_in_fan_out": "",
    "peft": "",
    "relora_cpu_offload": "the factors go into the weights where these are",
    "eval_table_size": "",
    "eval_causal_lm_metrics": "",
    "xformers_attention": "attn_impl has sdpa, flash_attention_2 and varlen",
    "flash_optimum": "attn_impl has sdpa, flash_attention_2 and varlen",
    "flash_attn_fuse_qkv": "",
}
"""Keys without a counterpart yet, with what to do in place of them."""

EXCLUSIVE = (
    ("warmup_ratio", "warmup_steps"),
    ("test_datasets", "val_set_size"),
    ("eval_steps", "evals_per_epoch"),
    ("save_steps", "saves_per_epoch"),
)
"""Pairs of keys that cannot both be in one file."""
