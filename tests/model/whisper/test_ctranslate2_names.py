from __future__ import annotations

import numpy as np
import pytest

from model.ctranslate2 import BadModelFile, Ctranslate2Model
from model.whisper.configuration import WhisperConfig
from model.whisper.ctranslate2_names import hugging_face_tensors
from model.whisper.weights import expected_shapes, load_weights
from tests.model.tiny import Tiny


def converted(weights: dict[str, np.ndarray], config: WhisperConfig) -> dict[str, np.ndarray]:
    """The names and fused projections that CTranslate2's converter writes, from ours."""
    found = {
        "decoder/embeddings/weight": weights["decoder.embed_tokens.weight"],
        "decoder/position_encodings/encodings": weights["decoder.embed_positions.weight"],
        "encoder/position_encodings/encodings": weights["encoder.embed_positions.weight"],
        "encoder/num_heads": np.array(4, "<i2"),
        "decoder/alignment_heads": np.array([[0, 1]], "<i2"),
    }
    for conv in ("conv1", "conv2"):
        found |= {f"encoder/{conv}/{kind}": weights[f"encoder.{conv}.{kind}"] for kind in ("weight", "bias")}
    for side, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        found |= norm(weights, f"{side}.layer_norm", f"{side}/layer_norm")
        for i in range(layers):
            found |= layer(weights, f"{side}.layers.{i}", f"{side}/layer_{i}")
    return found


def layer(weights: dict[str, np.ndarray], source: str, target: str) -> dict[str, np.ndarray]:
    def linear(name: str, *projections: str) -> dict[str, np.ndarray]:
        kernels = [weights[f"{source}.{p}.weight"] for p in projections]
        biases = [
            weights.get(f"{source}.{p}.bias", np.zeros(len(k), np.float32)) for p, k in zip(projections, kernels, strict=True)
        ]
        return {f"{target}/{name}/weight": np.concatenate(kernels), f"{target}/{name}/bias": np.concatenate(biases)}

    own, audio = [[f"{a}.{p}_proj" for p in ("q", "k", "v", "out")] for a in ("self_attn", "encoder_attn")]
    found = linear("self_attention/linear_0", *own[:3]) | linear("self_attention/linear_1", own[3])
    found |= linear("ffn/linear_0", "fc1") | linear("ffn/linear_1", "fc2")
    found |= norm(weights, f"{source}.self_attn_layer_norm", f"{target}/self_attention/layer_norm")
    found |= norm(weights, f"{source}.final_layer_norm", f"{target}/ffn/layer_norm")
    if f"{source}.encoder_attn.q_proj.weight" in weights:
        found |= (
            linear("attention/linear_0", audio[0])
            | linear("attention/linear_1", *audio[1:3])
            | linear("attention/linear_2", audio[3])
        )
        found |= norm(weights, f"{source}.encoder_attn_layer_norm", f"{target}/attention/layer_norm")
    return found


def norm(weights: dict[str, np.ndarray], source: str, target: str) -> dict[str, np.ndarray]:
    return {f"{target}/gamma": weights[f"{source}.weight"], f"{target}/beta": weights[f"{source}.bias"]}


@pytest.fixture(scope="module")
def weights(small: Tiny) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in load_weights(small.directory, small.config).items()}


@pytest.fixture
def variables(weights, small) -> dict[str, np.ndarray]:
    return converted(weights, small.config)


def placed(variables: dict[str, np.ndarray], spec: str = "WhisperSpec") -> dict[str, np.ndarray]:
    return hugging_face_tensors(Ctranslate2Model(spec, 3, variables, {}))


def test_every_tensor_comes_back_under_its_name(weights, variables, small):
    found = placed(variables)
    assert {name: array.shape for name, array in found.items()} == expected_shapes(small.config)
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_another_family_is_refused(variables):
    with pytest.raises(BadModelFile, match="TransformerSpec, expected WhisperSpec"):
        placed(variables, "TransformerSpec")


@pytest.mark.parametrize(
    "name",
    [
        "decoder/projection/weight",
        "encoder/layer_0/self_attention/linear_9/weight",
        "encoder/layer_0/extra/linear_0/weight",
        "encoder/layer_0/ffn",
        "odd",
        "encoder/layer_norm/other",
        "encoder/layer_norm",
    ],
)
def test_a_variable_without_a_place_is_refused(variables, name):
    with pytest.raises(BadModelFile, match=f"{name}: no such parameter in Whisper"):
        placed({**variables, name: np.zeros(4, np.float32)})


def test_keys_with_a_bias_are_refused(variables):
    name = "decoder/layer_1/self_attention/linear_0/bias"
    biased = variables[name].copy()
    biased[64] = 0.5
    with pytest.raises(BadModelFile, match=f"{name}: the keys have a bias"):
        placed({**variables, name: biased})


def test_a_fused_projection_that_cannot_be_divided_is_refused(variables):
    name = "encoder/layer_0/self_attention/linear_0/weight"
    with pytest.raises(BadModelFile, match=f"{name}: 190 rows, expected a multiple of 3"):
        placed({**variables, name: variables[name][:190]})
