import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { parts } = await load("text.js");
const links = (text) => parts(text).filter((part) => part.kind === "link").map((part) => part.text);

test("parts together are the text, without the backticks of code", () => {
  const text = "see `det(A)` at https://example.com/a_(b), <b>please</b>";
  assert.equal(parts(text).map((part) => part.text).join(""), text.replaceAll("`", ""));
  assert.deepEqual(parts(text).filter((part) => part.kind === "code").map((part) => part.text), ["det(A)"]);
});

test("a full stop or bracket behind a link belongs to the sentence", () => {
  assert.deepEqual(links("(https://example.com/x?y=1)."), ["https://example.com/x?y=1"]);
  assert.deepEqual(links("https://en.wikipedia.org/wiki/Rust_(language)"), ["https://en.wikipedia.org/wiki/Rust_(language)"]);
});

test("nothing but web and mail addresses is a link", () => {
  for (const text of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://", "ftp://example.com"]) {
    assert.deepEqual(links(text), [], text);
  }
  assert.deepEqual(links("mailto:ada@example.com"), ["mailto:ada@example.com"]);
});

test("links in code stay code", () => {
  assert.deepEqual(links("`https://example.com`"), []);
});
