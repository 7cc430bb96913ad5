import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { encodeFrame, FrameDecoder } = await load("frames.js");
const octets = (text) => new TextEncoder().encode(text);

test("a value with every octet that is escaped comes back as it was", () => {
  const odd = "a:b\\c\nd\re";
  const [frame] = new FrameDecoder().push(encodeFrame("SEND", { [odd]: odd }, "body"));
  assert.equal(frame.headers.get(odd), odd);
  assert.equal(frame.body, "body");
});

test("CONNECT is not escaped", () => {
  assert.ok(encodeFrame("CONNECT", { host: "a:b" }).includes("host:a:b\n"));
});

test("content-length counts octets", () => {
  assert.ok(encodeFrame("SEND", {}, "ü😀").includes("content-length:6\n"));
});

test("a frame may be cut anywhere, inside a character too", () => {
  const all = octets("\n\nMESSAGE\r\nsubscription:1\ncontent-length:7\n\nü\u0000😀\u0000\nRECEIPT\nreceipt-id:1\n\n\u0000");
  for (let cut = 0; cut <= all.length; cut += 1) {
    const decoder = new FrameDecoder();
    const frames = [...decoder.push(all.slice(0, cut).buffer), ...decoder.push(all.slice(cut).buffer)];
    assert.deepEqual(frames.map(({ command, body }) => [command, body]), [["MESSAGE", "ü\u0000😀"], ["RECEIPT", ""]], `cut at ${cut}`);
  }
});

test("heart-beats are no frames, and of repeated headers the first counts", () => {
  assert.deepEqual(new FrameDecoder().push("\n\r\n\n"), []);
  const [frame] = new FrameDecoder().push("MESSAGE\na:1\na:2\n\n\u0000");
  assert.equal(frame.headers.get("a"), "1");
});

test("what is no frame is an error", () => {
  for (const bad of ["MESSAGE\nno colon\n\n\u0000", "MESSAGE\na:\\t\n\n\u0000", "MESSAGE\ncontent-length:1\n\nab\u0000"]) {
    assert.throws(() => new FrameDecoder().push(bad), bad);
  }
});
