// Who is here: what a page makes of a snapshot and diffs.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { Attendance } = await load("presence.js");
const member = (name, status = "STUDYING") => ({ user: name.toLowerCase(), name, status, metas: [] });
const snapshot = (version, ...members) => ({ type: "snapshot", version, members });
const diff = (version, previous, changes) =>
  ({ type: "diff", version, previous, joined: [], updated: [], left: [], ...changes });
const gone = (user) => ({ user, status: "OFFLINE" });
const shown = (attendance, me) => attendance.people(me).map(({ name, status }) => `${name} ${status}`);

test("a snapshot, and then every diff, is who is here", () => {
  const attendance = new Attendance();
  assert.ok(attendance.take(snapshot(4, member("Ada"), member("Bob", "BREAK"))));
  assert.ok(attendance.take(diff(6, 4, { joined: [member("Cy")], updated: [member("Ada", "AWAY")], left: [gone("bob")] })));
  assert.deepEqual(shown(attendance), ["Ada AWAY", "Cy STUDYING", "Bob OFFLINE"]);
  assert.equal(attendance.count, 2, "who left is seen, and does not count");
  assert.equal(attendance.statusOf("ada"), "AWAY");
  assert.equal(attendance.statusOf("bob"), undefined);
});

test("a diff that the snapshot has already changes nothing", () => {
  const attendance = new Attendance();
  attendance.take(snapshot(5, member("Ada"), member("Bob", "BREAK")));
  assert.ok(attendance.take(diff(5, 4, { updated: [member("Bob", "BREAK")], left: [gone("cy")] })));
  assert.deepEqual(shown(attendance), ["Ada STUDYING", "Bob BREAK"]);
});

test("a gap is told, and changes nothing until the next snapshot", () => {
  const attendance = new Attendance();
  attendance.take(snapshot(5, member("Ada")));
  assert.equal(attendance.take(diff(8, 7, { joined: [member("Cy")] })), false);
  assert.deepEqual(shown(attendance), ["Ada STUDYING"]);
  assert.ok(attendance.take(snapshot(8, member("Ada"), member("Cy"))));
  assert.deepEqual(shown(attendance), ["Ada STUDYING", "Cy STUDYING"]);
});

test("a diff that follows on nobody begins with nobody", () => {
  const attendance = new Attendance();
  attendance.take(snapshot(5, member("Ada")));
  assert.ok(attendance.take(diff(9, 0, { joined: [member("Bob")] })));
  assert.deepEqual(shown(attendance), ["Bob STUDYING"]);
});

test("after a restart versions begin anew, with a snapshot", () => {
  const attendance = new Attendance();
  attendance.take(snapshot(500, member("Ada"), member("Bob")));
  attendance.take(diff(501, 500, { left: [gone("bob")] }));
  assert.ok(attendance.take(snapshot(1, member("Ada"))));
  assert.ok(attendance.take(diff(2, 1, { joined: [member("Cy")] })));
  assert.deepEqual(shown(attendance), ["Ada STUDYING", "Cy STUDYING"], "who left before it is forgotten");
});

test("oneself comes first, then the others by name, and who left last", () => {
  const attendance = new Attendance();
  attendance.take(snapshot(1, member("éva"), member("Zoe"), member("Ada"), member("Me"), member("bob")));
  attendance.take(diff(2, 1, { left: [gone("ada")] }));
  const names = attendance.people("me").map(({ name }) => name);
  assert.deepEqual(names, ["Me", "bob", "éva", "Zoe", "Ada"]);
});

test("who comes back is here once", () => {
  const attendance = new Attendance();
  attendance.take(snapshot(1, member("Ada"), member("Bob", "AWAY")));
  attendance.take(diff(2, 1, { left: [gone("bob")] }));
  attendance.take(diff(3, 2, { joined: [member("Bob")] }));
  assert.deepEqual(shown(attendance), ["Ada STUDYING", "Bob STUDYING"]);
});

test("however many leave, those that are remembered are bounded", () => {
  const attendance = new Attendance();
  const all = Array.from({ length: 100 }, (_, number) => member(`N${number}`));
  attendance.take(snapshot(1, ...all));
  attendance.take(diff(2, 1, { left: all.map(({ user }) => gone(user)) }));
  assert.equal(attendance.count, 0);
  assert.equal(attendance.people().length, 20);
});
