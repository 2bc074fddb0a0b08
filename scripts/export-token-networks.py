"""Makes test/fixtures/tokens: small networks of tokens as exporters leave them, with what their own framework answers.

    python scripts/export-token-networks.py torch     (needs torch, onnx, onnxscript, timm)
    python scripts/export-token-networks.py keras     (needs tensorflow, and tensorflowjs for the last files)

Weights and inputs are drawn from a fixed seed. For every network there is NAME.json: the files that hold it, and inputs and
outputs of the framework as numbers. Versions that the committed files were made with: test/fixtures/tokens/README.md.
"""

import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "tokens"
WIDTH, HEADS, TOKENS = 24, 3, 7


def record(name, files, inputs, outputs):
    """Inputs and outputs by name; floats with nine digits, which are all that f32 has."""

    def plain(value):
        value = np.asarray(value)
        data = value.reshape(-1).tolist()
        if value.dtype.kind == "f":
            data = [float(f"{v:.9g}") for v in data]
        return {"dtype": str(value.dtype), "shape": list(value.shape), "data": data}

    text = {
        "files": files,
        "inputs": {k: plain(v) for k, v in inputs.items()},
        "outputs": [plain(v) for v in outputs],
    }
    (OUT / f"{name}.json").write_text(json.dumps(text) + "\n")


def strip(path):
    """Without the stack traces that torch writes beside every node: half of the file."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.initializer, *model.graph.input, *model.graph.output]:
        value.doc_string = ""
        del value.metadata_props[:]
    for holder in (model, model.graph):
        holder.doc_string = ""
        del holder.metadata_props[:]
    onnx.save(model, path)


def torch_networks():
    import timm.models.vision_transformer as vit
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.backends.mha.set_fastpath_enabled(False)

    class Encoder(nn.Module):
        """nn.TransformerEncoder, normalised after each branch, with a mask of padded tokens."""

        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 40, activation="gelu", batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(WIDTH, 5)

        def forward(self, x, padded):
            return self.head(self.encoder(x, src_key_padding_mask=padded).mean(1))

    class Sequence(nn.Module):
        """nn.MultiheadAttention with time first and the batch second, as older networks have it."""

        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(WIDTH)
            self.attention = nn.MultiheadAttention(WIDTH, HEADS)

        def forward(self, x):
            y = self.norm(x)
            return x + self.attention(y, y, y, need_weights=False)[0]

    class Attention(nn.Module):
        """Separate projections and F.scaled_dot_product_attention; fewer heads of keys than of queries if asked."""

        def __init__(self, heads, kv_heads, causal):
            super().__init__()
            self.heads, self.kv_heads, self.causal = heads, kv_heads, causal
            size = WIDTH // heads
            self.q = nn.Linear(WIDTH, WIDTH)
            self.k = nn.Linear(WIDTH, kv_heads * size)
            self.v = nn.Linear(WIDTH, kv_heads * size)
            self.out = nn.Linear(WIDTH, WIDTH)

        def forward(self, x, mask=None):
            b, t, c = x.shape
            size = c // self.heads
            q, k, v = (
                p(x).view(b, t, n, size).transpose(1, 2)
                for p, n in ((self.q, self.heads), (self.k, self.kv_heads), (self.v, self.kv_heads))
            )
            if self.kv_heads != self.heads:
                share = self.heads // self.kv_heads
                k, v = (
                    a[:, :, None].expand(b, self.kv_heads, share, t, size).reshape(b, self.heads, t, size)
                    for a in (k, v)
                )
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
            return self.out(y.transpose(1, 2).reshape(b, t, c))

    class Block(nn.Module):
        """Normalised in front of each branch."""

        def __init__(self, heads=HEADS, kv_heads=HEADS, causal=False, approximate="none"):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.attention = Attention(heads, kv_heads, causal)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 40), nn.GELU(approximate), nn.Linear(40, WIDTH))

        def forward(self, x, mask=None):
            x = x + self.attention(self.norm1(x), mask)
            return x + self.mlp(self.norm2(x))

    class Shared(nn.Module):
        """Two heads of keys for six of queries, tanh form of GELU."""

        def __init__(self):
            super().__init__()
            self.block = Block(6, 2, approximate="tanh")
            self.head = nn.Linear(WIDTH, 5)

        def forward(self, x):
            return self.head(self.block(x).mean(1))

    class Language(nn.Module):
        """Causal, with the table of tokens as the weights of the output too."""

        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(19, WIDTH)
            self.places = nn.Parameter(torch.randn(TOKENS, WIDTH) * 0.3)
            self.block = Block(causal=True)
            self.norm = nn.LayerNorm(WIDTH)

        def forward(self, ids):
            x = self.norm(self.block(self.tokens(ids) + self.places))
            return x @ self.tokens.weight.T

    class Distil(nn.Module):
        """As DistilBERT computes: embeddings of tokens and places, queries scaled, masked_fill, first token."""

        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(31, WIDTH), nn.Embedding(TOKENS, WIDTH)
            self.register_buffer("ids", torch.arange(TOKENS)[None])
            self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
            self.layers = nn.ModuleList(
                nn.ModuleDict(
                    {n: nn.Linear(WIDTH, WIDTH) for n in ("q", "k", "v", "out")}
                    | {"up": nn.Linear(WIDTH, 40), "down": nn.Linear(40, WIDTH)}
                    | {n: nn.LayerNorm(WIDTH, eps=1e-12) for n in ("norm1", "norm2")}
                )
                for _ in range(2)
            )
            self.pre, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)

        def forward(self, input_ids, attention_mask):
            x = self.norm(self.words(input_ids) + self.places(self.ids))
            b, t, _ = x.shape
            split = lambda y: y.view(b, -1, HEADS, WIDTH // HEADS).transpose(1, 2)
            for l in self.layers:
                q, k, v = split(l["q"](x)), split(l["k"](x)), split(l["v"](x))
                scores = torch.matmul(q / (WIDTH // HEADS) ** 0.5, k.transpose(2, 3))
                hidden = (attention_mask == 0).view(b, 1, 1, t).expand_as(scores)
                scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
                y = torch.matmul(torch.softmax(scores, -1), v).transpose(1, 2).contiguous().view(b, t, WIDTH)
                x = l["norm1"](l["out"](y) + x)
                x = l["norm2"](l["down"](F.gelu(l["up"](x))) + x)
            return self.head(torch.relu(self.pre(x[:, 0])))

    class Mobile(nn.Module):
        """A MobileViT-like block: convolutions, attention among pixels of one place in all patches, convolutions."""

        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU())
            self.local = nn.Conv2d(8, 8, 3, 1, 1)
            self.into = nn.Conv2d(8, WIDTH, 1)
            self.block = Block()
            self.back = nn.Conv2d(WIDTH, 8, 1)
            self.join = nn.Conv2d(16, 8, 3, 1, 1)
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.stem(x)
            y = self.into(self.local(x))
            b, c, h, w = y.shape
            y = y.reshape(b * c * h // 2, 2, w // 2, 2).transpose(1, 2)
            y = y.reshape(b, c, h * w // 4, 4).transpose(1, 3).reshape(b * 4, h * w // 4, c)
            y = self.block(y).reshape(b, 4, h * w // 4, c).transpose(1, 3)
            y = y.reshape(b * c * h // 2, w // 2, 2, 2).transpose(1, 2).reshape(b, c, h, w)
            y = self.join(torch.cat((x, self.back(y)), 1))
            return self.head(y.mean((2, 3)))

    def patches():
        return vit.VisionTransformer(
            img_size=12, patch_size=4, in_chans=1, num_classes=5, embed_dim=WIDTH, depth=2, num_heads=HEADS, mlp_ratio=1.5
        )

    def numbers(*shape):
        return torch.randn(*shape)

    padded = torch.zeros(1, TOKENS, dtype=torch.bool)
    padded[0, 5:] = True
    keep = torch.ones(1, TOKENS, dtype=torch.int64)
    keep[0, 4:] = 0
    networks = {
        "encoder": (Encoder, {"x": numbers(1, TOKENS, WIDTH), "padded": padded}),
        "sequence": (Sequence, {"x": numbers(TOKENS, 1, WIDTH)}),
        "shared": (Shared, {"x": numbers(1, TOKENS, WIDTH)}),
        "language": (Language, {"ids": torch.randint(0, 19, (1, TOKENS))}),
        "distil": (Distil, {"input_ids": torch.randint(0, 31, (1, TOKENS)), "attention_mask": keep}),
        "mobile": (Mobile, {"x": numbers(1, 3, 16, 16)}),
        "patches": (patches, {"x": numbers(1, 1, 12, 12)}),
    }
    for name, (make, inputs) in networks.items():
        torch.manual_seed(7)
        model = make().eval()
        for p in model.parameters():  # nothing is exactly 0 or 1, so that nothing goes unnoticed
            p.data += 0.05 * torch.randn_like(p)
        files = []
        axes = {n: {(1 if name == "sequence" else 0): "batch"} for n in inputs}
        for kind, dynamo in (("script", False), ("dynamo", True)):
            if dynamo and name not in ("encoder", "patches"):  # both give the same graphs for the others
                continue
            file = f"{name}.{kind}.onnx"
            options = {"input_names": list(inputs), "dynamo": dynamo, "opset_version": 18 if dynamo else 17}
            if not dynamo:
                options["dynamic_axes"] = axes
            try:
                if dynamo:
                    torch.onnx.export(model, tuple(inputs.values()), OUT / file, external_data=False, **options)
                else:
                    torch.onnx.export(model, tuple(inputs.values()), str(OUT / file), **options)
                strip(OUT / file)
                files.append(file)
            except Exception as error:  # an exporter may not know a model; the other one then has to do
                print(f"{file}: {type(error).__name__}: {str(error)[:300]}")
        with torch.no_grad():
            outputs = [model(*inputs.values())]
        record(name, files, {k: v.numpy() for k, v in inputs.items()}, [o.numpy() for o in outputs])


def keras_networks():
    import tensorflow as tf
    from tensorflow import keras
    from tensorflow.keras import layers

    def block(x, mask=None):
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, attention_mask=mask)
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        # TensorFlow.js knows no complementary error function, in which Keras writes its GELU.
        return x + layers.Dense(WIDTH)(layers.Dense(40, activation="silu")(y))

    def tokens():
        x = keras.Input((TOKENS, WIDTH), name="x")
        y = layers.GlobalAveragePooling1D()(block(block(x)))
        return keras.Model(x, layers.Dense(5)(y))

    def words():
        ids = keras.Input((TOKENS,), dtype="int32", name="ids")
        keep = keras.Input((1, TOKENS), dtype="bool", name="keep")
        y = layers.GlobalAveragePooling1D()(block(layers.Embedding(31, WIDTH)(ids), keep))
        return keras.Model([ids, keep], layers.Dense(3)(y))

    random = np.random.default_rng(5)
    keep = np.ones((1, 1, TOKENS), bool)
    keep[0, 0, 4:] = False
    networks = {
        "keras-tokens": (tokens, {"x": random.normal(size=(1, TOKENS, WIDTH)).astype(np.float32)}),
        "keras-words": (words, {"ids": random.integers(0, 31, (1, TOKENS)).astype(np.int32), "keep": keep}),
    }
    for name, (make, inputs) in networks.items():
        keras.utils.set_random_seed(7)
        model = make()
        model.set_weights([w + 0.05 * random.normal(size=w.shape).astype(w.dtype) for w in model.get_weights()])
        outputs = [np.asarray(model(list(inputs.values()) if len(inputs) > 1 else inputs["x"]))]
        files = []
        model.save(OUT / f"{name}.h5")
        files.append(f"{name}.h5")
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        (OUT / f"{name}.tflite").write_bytes(converter.convert())
        files.append(f"{name}.tflite")
        try:
            # The converter imports what only forests need, and what that needs seldom fits the installed TensorFlow.
            sys.modules.setdefault("tensorflow_decision_forests", types.ModuleType("none"))
            import tensorflowjs as tfjs

            with tempfile.TemporaryDirectory() as folder:
                model.export(folder)
                tfjs.converters.convert_tf_saved_model(folder, str(OUT / f"{name}.tfjs"))
            files.append(f"{name}.tfjs/model.json")
        except Exception as error:
            print(f"{name}, TensorFlow.js: {type(error).__name__}: {str(error)[:300]}")
        record(name, files, inputs, outputs)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    {"torch": torch_networks, "keras": keras_networks}[sys.argv[1]]()
