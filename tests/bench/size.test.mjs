import assert from "node:assert/strict";
import test from "node:test";
import { crateOf, sizes, weights } from "./size.mjs";

test("a function belongs to the crate that is first in its path", () => {
  const names = {
    "k256::arithmetic::mul::multiply": "k256",
    "<libp2p_swarm::Swarm<T> as futures_core::stream::Stream>::poll_next": "libp2p_swarm",
    "<&mut alloc::vec::Vec<u8> as core::fmt::Debug>::fmt": "alloc",
    "core[a1b2c3]::fmt::write": "core",
    "_ZN4core3fmt5write17h0123456789abcdefE": "core",
    "_ZN65_$LT$yamux..Error$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE": "yamux",
    "_RNvMs_NtCs9ltgdHTiPiY_5yamux10connectionNtB4_5Error4code": "yamux",
    "memcpy": "(glue and others)",
  };
  for (const [name, crate] of Object.entries(names)) assert.equal(crateOf(name), crate, name);
});

test("code and data of a module are added up by crate", () => {
  const text = (/** @type {string} */ value) => [value.length, ...Buffer.from(value)];
  const section = (/** @type {number} */ id, /** @type {number[]} */ body) => [id, body.length, ...body];
  const names = [2, 1, ...text("a::f"), 2, ...text("b::g")];
  const wasm = Uint8Array.from([
    ...Buffer.from("\0asm"), 1, 0, 0, 0,
    ...section(2, [1, ...text("m"), ...text("f"), 0, 0]),
    ...section(10, [2, 2, 0, 0x0b, 3, 0, 1, 0x0b]),
    ...section(11, [1, 0, 0x41, 0, 0x0b, 1, 9]),
    ...section(0, [...text("name"), 1, names.length, ...names]),
  ]);
  const { crates, functions } = weights(wasm);
  assert.deepEqual(crates, [["(data)", 7], ["b", 3], ["a", 2]]);
  assert.deepEqual(functions, [["b::g", 3], ["a::f", 2]]);
});

test("every compression makes a repetitive file smaller", () => {
  const { raw, gzip, brotli } = sizes(new Uint8Array(10_000));
  assert.equal(raw, 10_000);
  assert.ok(brotli < gzip && gzip < raw);
});
