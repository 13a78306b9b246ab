"""Exactness: what transformers computes with the same weights, from the sound to the tokens."""

from __future__ import annotations

import pytest
import torch
from transformers import GlmAsrForConditionalGeneration

from bench.checkpoint import write
from model.glm_asr.model import GlmAsr
from model.glm_asr.offline import Offline
from tests.model.glm_asr.conftest import CPU, sound
from tests.model.tiny import edit_json

SECONDS = (0.1, 0.5, 1.03, 7.37, 29.99, 30.0, 30.5, 65.0)
NEW = 24


def expected(reference, processor, clips) -> list[list[int]]:
    inputs = processor.apply_transcription_request(clips)
    found = reference.generate(**inputs, do_sample=False, max_new_tokens=NEW)
    return found[:, inputs["input_ids"].shape[1] :].tolist()


@pytest.mark.parametrize("seconds", SECONDS)
def test_features_logits_and_tokens(glm, glm_reference, glm_processor, seconds):
    clip = sound(seconds)
    inputs = glm_processor.apply_transcription_request(clip)
    offline = Offline(glm)
    mel = torch.stack([offline.features(clip[i : i + 480_000]) for i in range(0, len(clip), 480_000)])
    torch.testing.assert_close(mel.transpose(1, 2), inputs["input_features"], atol=1e-4, rtol=0)
    reference = glm_reference(**inputs, output_hidden_states=False).logits[0]
    (logits,) = offline.prompt_logits([clip])
    torch.testing.assert_close(logits, reference, atol=1e-4, rtol=0)
    assert offline.generate([clip], NEW) == expected(glm_reference, glm_processor, [clip])


@pytest.mark.parametrize("seconds", [1.03, 31.0])
def test_encoder_states(glm, glm_reference, glm_processor, seconds):
    clip = sound(seconds)
    features = glm_processor.apply_transcription_request(clip)["input_features"]
    reference = glm_reference.model.audio_tower(features).last_hidden_state.flatten(0, 1)
    states = Offline(glm).states([clip[i : i + 480_000] for i in range(0, len(clip), 480_000)])
    torch.testing.assert_close(states, reference, atol=1e-4, rtol=0)


def test_a_mixed_batch(glm, glm_reference, glm_processor):
    clips = [sound(seconds, seed) for seed, seconds in enumerate(SECONDS)]
    together = Offline(glm).generate(clips, NEW)
    assert together == expected(glm_reference, glm_processor, clips)
    assert together == [Offline(glm).generate([clip], NEW)[0] for clip in clips]
    assert len({tuple(tokens) for tokens in together}) == len(clips)


def test_an_end_token_ends(glm_directory, tmp_path, glm_processor):
    """The random model says no end token of its own accord, so one that it says is made one."""
    clip = sound(3.0)
    said = Offline(GlmAsr(glm_directory, CPU, torch.float32)).generate([clip], NEW)[0]
    directory = write(tmp_path / "ends")
    edit_json(directory / "generation_config.json", eos_token_id=[59246, said[9]])
    reference = GlmAsrForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    end = said.index(said[9])
    assert expected(reference, glm_processor, [clip])[0] == said[: end + 1]
    assert Offline(GlmAsr(directory, CPU, torch.float32)).generate([clip], NEW)[0] == said[:end]


def test_bfloat16_stays_within_its_rounding(glm_directory, glm_processor):
    """Logits have a mean size of 1.2; bfloat16 keeps 8 bits, and rounding adds up over 6 layers."""
    clip = sound(7.37)
    reference = GlmAsrForConditionalGeneration.from_pretrained(glm_directory, dtype=torch.bfloat16).eval()
    inputs = glm_processor.apply_transcription_request(clip)
    inputs["input_features"] = inputs["input_features"].bfloat16()
    expected = reference(**inputs).logits[0].float()
    (found,) = Offline(GlmAsr(glm_directory, CPU, torch.bfloat16)).prompt_logits([clip])
    error = (found - expected).abs()
    assert float(error.mean()) < 0.03 and float(error.max()) < 0.5


def test_a_tied_output(tmp_path, glm_processor):
    """Without an output matrix of its own, the embeddings are it."""
    from safetensors.torch import load_file, save_file

    directory = write(tmp_path / "tied")
    tensors = load_file(directory / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    edit_json(directory / "config.json", tie_word_embeddings=True)
    reference = GlmAsrForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    clip = sound(2.0)
    found = Offline(GlmAsr(directory, CPU, torch.float32)).generate([clip], NEW)
    assert found == expected(reference, glm_processor, [clip])
