"""Shapes of the shards: what one GPU of a tensor-parallel group holds, counted in bytes.

Heads, feed-forward width and vocabulary are divided among the GPUs, the hidden width is not.
Sources: the Llama 3 report (2024) and the Nemotron-4 340B report (2024), with the published
configurations of the models.
"""

from dataclasses import dataclass, replace

MATRIX_BYTES = 1
"""A weight of a matrix is FP8 (E4M3)."""

BF16_BYTES = 2
"""Gains of the norms, embeddings, activations and the KV cache."""


@dataclass(frozen=True)
class Shape:
    """One shard. The names are those of the files of measurements.

    `d` hidden width, `q` query heads, `kv` key-value heads, `hd` width of a head, `ffn` width of
    the feed-forward layer, `gated` whether that has a gate, `vocab` tokens whose logits the shard
    computes, `tp` GPUs that share a model.
    """

    layers: int
    d: int
    q: int
    kv: int
    hd: int
    ffn: int
    gated: bool
    vocab: int
    tp: int

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """The matrices of a layer: outputs and inputs. `up` holds the gate above the rest."""
        return {
            "qkv": ((self.q + 2 * self.kv) * self.hd, self.d),
            "out": (self.d, self.q * self.hd),
            "up": (self.ffn * (2 if self.gated else 1), self.d),
            "down": (self.d, self.ffn),
        }

    @property
    def layer_weights(self) -> int:
        """Weights of the matrices of one layer."""
        return sum(outputs * inputs for outputs, inputs in self.matrices.values())

    @property
    def weight_bytes(self) -> int:
        """What every step reads: the layers, their two norms and the shard's output head.

        Left out are the embedding, of which a step reads a row a token, the gain of the last norm
        and the scales: together less than 1e-5 of the rest.
        """
        layer = self.layer_weights * MATRIX_BYTES + 2 * self.d * BF16_BYTES
        return self.layers * layer + self.vocab * self.d * MATRIX_BYTES

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of one token in all layers of the shard."""
        return self.layers * 2 * self.kv * self.hd * BF16_BYTES

    @property
    def model_parameters(self) -> int:
        """Parameters of the whole model: matrices of all shards, norms, embedding and head."""
        matrices = self.tp * self.layers * self.layer_weights
        return matrices + (2 * self.layers + 1) * self.d + 2 * self.tp * self.vocab * self.d


@dataclass(frozen=True)
class Model:
    """A shape and what its layers do.

    A gated feed-forward layer takes SiLU of the gate, one without takes the squared ReLU. `centred`
    norms subtract the mean (LayerNorm; in Nemotron its gain is stored less 1, which costs nothing)
    and have no bias, as the model's matrices have none; the others are RMSNorms. Rotary positions
    turn the first `rotary` of the `hd` entries of a head, with base `theta`.
    """

    name: str
    shape: Shape
    centred: bool
    rotary: int
    theta: float


MODELS = {
    "llama31-70b-fp8-tp4": Model(
        name="llama-3.1-70b-tp4",
        shape=Shape(layers=80, d=8192, q=16, kv=2, hd=128, ffn=7168, gated=True, vocab=32064, tp=4),
        centred=False,
        rotary=128,
        theta=500_000.0,
    ),
    "nemotron4-340b-fp8-tp8": Model(
        name="nemotron-4-340b-tp8",
        shape=Shape(
            layers=96, d=18432, q=12, kv=1, hd=192, ffn=9216, gated=False, vocab=32000, tp=8
        ),
        centred=True,
        rotary=96,
        theta=10_000.0,
    ),
    "llama31-8b-fp8-tp1": Model(
        name="llama-3.1-8b-tp1",
        shape=Shape(
            layers=32, d=4096, q=32, kv=8, hd=128, ffn=14336, gated=True, vocab=128256, tp=1
        ),
        centred=False,
        rotary=128,
        theta=500_000.0,
    ),
}
"""The shards to measure, by the beginning of the name of their file."""


def tiny(model: Model) -> Model:
    """A model that does the same and that a CPU can run: it tests the code and measures nothing."""
    shape = Shape(
        layers=2, d=64, q=4, kv=2, hd=16, ffn=96, gated=model.shape.gated, vocab=160, tp=1
    )
    rotary = model.rotary * shape.hd // model.shape.hd
    return replace(model, name="tiny", shape=shape, rotary=rotary)
