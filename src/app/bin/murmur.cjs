#!/usr/bin/env node
// The command of the installed package. It tells an old Node.js in one line that it is too old. So this file, and only this one,
// keeps to the syntax of the first Node.js: ES5, no import. start.cjs does the rest.
var manifest = require("../../../package.json");

/** The exit code of a command that lacks a part, as in cli.ts. */
var UNAVAILABLE = 3;

/** True when the version `found` is at least `floor`: both are lists of numbers as text. */
function atLeast(floor, found) {
  var difference = 0;
  var i;
  for (i = 0; i < floor.length && difference === 0; i++) {
    difference = Number(found[i] || 0) - Number(floor[i]);
  }
  return difference >= 0;
}

var floor = manifest.engines.node.replace(/^>=/, "");
var found = process.versions.node;
var message = [
  "murmur: Node.js ",
  floor,
  " or newer is needed, this is ",
  found,
  " (",
  process.execPath,
  "): install a newer one from nodejs.org or with your version manager\n",
].join("");
if (atLeast(floor.split("."), found.split("."))) {
  require("./start.cjs");
} else {
  process.stderr.write(message);
  process.exitCode = UNAVAILABLE;
}
