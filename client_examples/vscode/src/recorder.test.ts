import assert from "node:assert/strict";
import { test } from "node:test";
import { command, record } from "./recorder";

/** All that a recorder wrote, and why it ended. */
function recording(program: string[], killAfter?: number) {
  return new Promise<{ sound: string; reason?: string }>((resolve) => {
    let sound = "";
    const child = record(program, (data) => {
      sound += data;
      if (sound.length === killAfter) child.kill();
    }, (reason) => resolve({ sound, reason }));
  });
}

const node = (code: string) => [process.execPath, "-e", code];

test("sound comes whole, then the end", async () => {
  const done = await recording(node("process.stdout.write('x'.repeat(300000))"));
  assert.deepEqual(done, { sound: "x".repeat(300_000), reason: undefined });
});

test("one that is stopped did not fail", async () => {
  const done = await recording(node("process.stdout.write('abc'); setInterval(() => 0, 1000)"), 3);
  assert.deepEqual(done, { sound: "abc", reason: undefined });
});

test("what failed is said in its own words, the last line", async () => {
  const { reason } = await recording(node("console.error('much ado'); console.error('no such card'); process.exit(3)"));
  assert.match(reason ?? "", /^Recorder .* failed: no such card$/);
  assert.match((await recording(["no-such-program"])).reason ?? "", /ENOENT/);
});

test("the given command goes before the known ones; without any it says what to install", () => {
  assert.deepEqual(command(["my", "command"]), ["my", "command"]);
  const path = process.env.PATH;
  process.env.PATH = "";
  assert.throws(() => command([]), /install SoX, ffmpeg/);
  process.env.PATH = path;
});
