"""What TransformerLens reads from a model and what its ablations do; run by the peers' Python.

python make.py TIRO-FOLDER OUT-FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

SIZES = {"vocab_size": 40, "bos_token_id": 0, "eos_token_id": 0}
CONFIGURATIONS = {
    "gpt2": transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=32, **SIZES),
    "llama": transformers.LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        **SIZES,
    ),
}


def drawn(config, seed):
    """A model with weights large enough to matter, all of them exact in half precision."""
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    draw = np.random.default_rng(seed)
    weights = {}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 0.3 if weight.ndim > 1 else 0.1
            values = draw.normal(size=weight.shape) * scale + (1 if is_gain(name) else 0)
            weights[f"weight:{name}"] = values.astype(np.float16)
            weight.copy_(torch.from_numpy(weights[f"weight:{name}"]).float())
    return model, weights


def is_gain(name):
    return name.endswith(".weight") and ("norm" in name or "ln_" in name)


def peer(model, tokens):
    """Logits, patterns, z, and logits at the last place with one head at its mean or at zero."""
    bridge = build_bridge_from_module(model, type(model).__name__, hf_config=model.config)
    layers, heads = bridge.cfg.n_layers, bridge.cfg.n_heads
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(tokens, return_type="logits")
        z = [cache[f"blocks.{layer}.attn.hook_z"] for layer in range(layers)]
        found = {
            "logits": logits,
            "pattern": torch.stack([cache[f"blocks.{layer}.attn.hook_pattern"] for layer in range(layers)]),
            "z": torch.stack([one.reshape(*tokens.shape, heads, -1) for one in z]),
        }
        for method in ("mean", "zero"):
            gone = []
            for layer in range(layers):
                for head in range(heads):

                    def ablate(value, hook, head=head, method=method):
                        own = value.reshape(*tokens.shape, heads, -1).clone()
                        mean = own[:, :, head].mean((0, 1))
                        own[:, :, head] = mean if method == "mean" else 0
                        return own.reshape(value.shape)

                    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
                    gone.append(bridge.run_with_hooks(tokens, return_type="logits", fwd_hooks=hooks)[:, -1])
            found[f"{method}_ablated"] = torch.stack(gone)
    return {name: value.float().numpy() for name, value in found.items()}


def main(tiro, out):
    torch.set_num_threads(1)
    draw = np.random.default_rng(7)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiro, dtype=torch.float32).eval()
    half = draw.integers(1, model.config.vocab_size, (3, 10))
    models = {"tiro-2x64": (model, {}, np.concatenate([half, half], 1))}
    for seed, (name, config) in enumerate(CONFIGURATIONS.items()):
        models[name] = (*drawn(config, seed), draw.integers(0, config.vocab_size, (3, 12)))
    for name, (model, weights, tokens) in models.items():
        with torch.no_grad():
            plain = model(torch.from_numpy(tokens)).logits.numpy()
        found = peer(model, torch.from_numpy(tokens))
        gap = abs(plain - found["logits"]).max()
        print(name, "TransformerLens against transformers, logits:", gap)
        np.savez_compressed(Path(out) / f"{name}.npz", tokens=tokens, **weights, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
