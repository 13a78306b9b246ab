import assert from "node:assert/strict";
import { test } from "node:test";
import { names } from "./names";

test("unusual names, the most frequent first", () => {
  const text = "import torch\nlr_max = 3\nclass LoRA: pass\nuse(LoRA, lr_max, LoRA); the cat sat 1234 x2 utf8 Hello ÜberGroß";
  assert.deepEqual(names(text, 10), ["LoRA", "lr_max", "utf8", "ÜberGroß"]);
  assert.deepEqual(names(text, 1), ["LoRA"]);
  assert.deepEqual(names("", 10), []);
});

test("none is longer than the server takes", () => {
  assert.ok(names("a_".repeat(500), 10).every((name) => name.length <= 100));
});
