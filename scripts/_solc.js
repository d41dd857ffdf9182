// The npm solc as a command: standard JSON from stdin to stdout, which is all that ape and forge ask of a compiler.
const fs = require("node:fs");
const solc = require("solc");

process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")));
