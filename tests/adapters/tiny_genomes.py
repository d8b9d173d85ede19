"""Tiny models of genomes with random weights, saved under the names and in the files of the published ones."""

import json
import math

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors


WIDTH, HEADS, INNER, LAYERS = 24, 6, 20, 2  # six heads: slopes of biases for a number that is no power of 2

DNABERT = {
    "model_type": "bert",
    "architectures": ["BertForMaskedLM"],
    "auto_map": {"AutoModel": "bert_layers.BertModel"},
    "alibi_starting_size": 512,
    "vocab_size": 40,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
HYENA = {
    "model_type": "hyenadna",
    "d_model": WIDTH,
    "d_inner": INNER,
    "n_layer": LAYERS,
    "vocab_size": 12,
    "pad_vocab_size_multiple": 8,
    "max_seq_len": 700,
    "emb_dim": 5,
    "filter_order": 16,
    "num_inner_mlps": 2,
    "hyena_order": 2,
    "short_filter_order": 3,
    "train_freq": True,
    "layer_norm_epsilon": 1e-5,
}
ESM = {
    "model_type": "esm",
    "vocab_size": 4107,
    "pad_token_id": 1,
    "mask_token_id": 2,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "max_position_embeddings": 130,
    "layer_norm_eps": 1e-12,
    "position_embedding_type": "rotary",
    "token_dropout": False,
    "emb_layer_norm_before": False,
    "add_bias_fnn": False,
}
ESM_1 = {key: value for key, value in ESM.items() if key != "add_bias_fnn"} | {"position_embedding_type": "absolute"}


def save(folder, config, weights, *, pickled=False):
    """Save a model's configuration and weights; gives the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if pickled:
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors")
    return weights


def draw(shapes, seed=0):
    """Draw tensors: those of normalisations around 1, others wide enough that each of them matters."""
    torch.manual_seed(seed)
    drawn = {}
    for name, shape in shapes.items():
        spread = 1 / math.sqrt(shape[-1]) if len(shape) > 1 else 0.3
        drawn[name] = torch.randn(shape) * spread + ("norm" in name.lower() and name.endswith("weight"))
    return drawn


def linear(name, outputs, inputs, bias=True):
    return {f"{name}.weight": (outputs, inputs)} | ({f"{name}.bias": (outputs,)} if bias else {})


def norm(name):
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}


def save_dnabert(folder, *, prefix="bert.", head=True, pickled=True, seed=0):
    """Save a DNABERT-2 (`bert.`, with the head of its pretraining) or, without prefix and head, a DNABERT-S."""
    shapes = {"embeddings.word_embeddings.weight": (40, WIDTH), "embeddings.token_type_embeddings.weight": (2, WIDTH)}
    shapes |= norm("embeddings.LayerNorm")
    for layer in (f"encoder.layer.{at}" for at in range(LAYERS)):
        shapes |= linear(f"{layer}.attention.self.Wqkv", 3 * WIDTH, WIDTH)
        shapes |= linear(f"{layer}.attention.output.dense", WIDTH, WIDTH) | norm(f"{layer}.attention.output.LayerNorm")
        shapes |= linear(f"{layer}.mlp.gated_layers", 2 * INNER, WIDTH, bias=False)
        shapes |= linear(f"{layer}.mlp.wo", WIDTH, INNER) | norm(f"{layer}.mlp.layernorm")
    shapes |= linear("pooler.dense", WIDTH, WIDTH)
    shapes = {prefix + name: shape for name, shape in shapes.items()}
    if head:
        shapes |= linear("cls.predictions.transform.dense", WIDTH, WIDTH) | {"cls.predictions.decoder.bias": (40,)}
    folder.mkdir(parents=True, exist_ok=True)
    byte_pairs().save(str(folder / "tokenizer.json"))
    return save(folder, DNABERT, draw(shapes, seed), pickled=pickled)


def byte_pairs():
    """Give a tokenizer of byte pairs with the special tokens of DNABERT-2."""
    pairs = [("A", "C"), ("G", "T"), ("AC", "GT"), ("T", "T"), ("A", "A"), ("AA", "TT"), ("C", "G")]
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *"ACGT", *(one + two for one, two in pairs)]
    model = models.BPE({word: at for at, word in enumerate(words)}, pairs, unk_token="[UNK]")
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens(words[:5])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def save_hyena(folder, *, prefix="hyena.backbone.", pickled=False, seed=0):
    """Save a HyenaDNA; as in the published files, the frequencies of a filter's sines are there once."""
    order, features, length = HYENA["filter_order"], HYENA["emb_dim"], HYENA["max_seq_len"]
    shapes = {"embeddings.word_embeddings.weight": (16, WIDTH)} | norm("ln_f")
    for layer in (f"layers.{at}" for at in range(LAYERS)):
        mixer, filters = f"{layer}.mixer", f"{layer}.mixer.filter_fn"
        shapes |= norm(f"{layer}.norm1") | norm(f"{layer}.norm2")
        shapes |= linear(f"{layer}.mlp.fc1", INNER, WIDTH) | linear(f"{layer}.mlp.fc2", WIDTH, INNER)
        shapes |= linear(f"{mixer}.in_proj", 3 * WIDTH, WIDTH) | linear(f"{mixer}.out_proj", WIDTH, WIDTH)
        shapes |= {f"{mixer}.short_filter.weight": (3 * WIDTH, 1, 3), f"{mixer}.short_filter.bias": (3 * WIDTH,)}
        shapes |= {f"{filters}.bias": (WIDTH,), f"{filters}.implicit_filter.1.freq": (1, order)}
        for at, inputs in ((0, features), (2, order), (4, order)):
            shapes |= linear(f"{filters}.implicit_filter.{at}", order, inputs)
        shapes |= linear(f"{filters}.implicit_filter.6", WIDTH, order, bias=False)
    weights = draw(shapes, seed)
    for at in range(LAYERS):
        weights |= {f"layers.{at}.mixer.filter_fn.{key}": value for key, value in fixed(length, features).items()}
    weights = {prefix + name: tensor for name, tensor in weights.items()}
    return save(folder, HYENA, weights | {"lm_head.weight": torch.randn(16, WIDTH)}, pickled=pickled)


def fixed(length, features):
    """Give what the authors' code computes once and saves: features and times of positions, decay of channels."""
    times, bands = torch.linspace(0, 1, length)[None, :, None], (features - 1) // 2
    angles = 2 * math.pi * torch.arange(length)[None, :, None] / length * torch.linspace(1e-4, bands - 1, bands)
    decay = torch.linspace(math.log(1e-2) / 1.5, math.log(1e-2) / 0.3, WIDTH)[None, None]
    waves = torch.cat([times, torch.cos(angles), -torch.sin(angles)], -1)
    return {"pos_emb.z": waves, "pos_emb.t": times, "modulation.deltas": decay}


def save_transformer(folder, config=ESM, *, prefix="esm.", pickled=False, seed=0):
    """Save a Nucleotide Transformer of the second version or, with `ESM_1`, of the first."""
    gated, rotary = "add_bias_fnn" in config, config["position_embedding_type"] == "rotary"
    shapes = {"embeddings.word_embeddings.weight": (4107, WIDTH)} | norm("encoder.emb_layer_norm_after")
    if not rotary:
        shapes |= {"embeddings.position_embeddings.weight": (config["max_position_embeddings"], WIDTH)}
    for layer in (f"encoder.layer.{at}" for at in range(LAYERS)):
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= linear(f"{layer}.attention.{part}", WIDTH, WIDTH)
        shapes |= norm(f"{layer}.attention.LayerNorm") | norm(f"{layer}.LayerNorm")
        shapes |= linear(f"{layer}.intermediate.dense", INNER * (1 + gated), WIDTH, bias=not gated)
        shapes |= linear(f"{layer}.output.dense", WIDTH, INNER, bias=not gated)
    shapes |= linear("contact_head.regression", 1, LAYERS * HEADS)
    weights = {prefix + name: tensor for name, tensor in draw(shapes, seed).items()}
    if rotary:
        size = WIDTH // HEADS
        frequencies = 1 / 10000 ** (torch.arange(0, size, 2) / size)
        for at in range(LAYERS):
            name = f"{prefix}encoder.layer.{at}.attention.self.rotary_embeddings.inv_freq"
            weights[name] = frequencies.clone()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary()))
    return save(folder, config, weights | {"lm_head.bias": torch.zeros(4107)}, pickled=pickled)


def vocabulary():
    """List the tokens of the Nucleotide Transformer: special ones, 6-mers, letters."""
    words = [""]
    for _ in range(6):
        words = [word + letter for word in words for letter in "ATCG"]
    return ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>", *words, *"ATCGN"]
