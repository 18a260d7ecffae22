#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# node: the event loop, worker threads, children, files, compression, and HTTP over a Unix socket.
. "$(dirname "$0")/support/steps.sh"
need node
js() { node -e "$1"; }

step timers_and_promises same 'a b c' js 'setTimeout(() => console.log("c"), 30); process.stdout.write("a "); Promise.resolve().then(() => process.stdout.write("b "))'
step worker_threads same 'sum 4950' js '
const { Worker } = require("worker_threads"); let s = 0, left = 4
for (let i = 0; i < 4; ++i) new Worker("const { parentPort, workerData: n } = require(\"worker_threads\"); let s = 0; for (let i = n; i < 100; i += 4) s += i; parentPort.postMessage(s)", { eval: true, workerData: i })
  .on("message", (m) => { s += m }).on("exit", () => { if (--left === 0) console.log("sum", s) })'
step shared_array same 4000 js '
const { Worker } = require("worker_threads"); const b = new SharedArrayBuffer(4), a = new Int32Array(b); let left = 4
for (let i = 0; i < 4; ++i) new Worker("const a = new Int32Array(require(\"worker_threads\").workerData); for (let i = 0; i < 1000; ++i) Atomics.add(a, 0, 1)", { eval: true, workerData: b })
  .on("exit", () => { if (--left === 0) console.log(a[0]) })'
step children same 'OUT 3 SIGTERM' js '
const { execFileSync, spawnSync, spawn } = require("child_process")
const out = execFileSync("tr", ["a-z", "A-Z"], { input: "out" }).toString()
const code = spawnSync("sh", ["-c", "exit 3"]).status
const p = spawn("sleep", ["100"]); p.on("exit", (c, s) => console.log(out, code, s)); p.kill()'
step files same '100 true' js '
const fs = require("fs"), fp = fs.promises;
(async () => { await fp.mkdir("d"); await Promise.all([...Array(100).keys()].map((i) => fp.writeFile("d/" + i, String(i))))
  const names = await fp.readdir("d"); const all = await Promise.all(names.map(async (n) => (await fp.readFile("d/" + n, "utf8")) === n)); console.log(names.length, all.every(Boolean)) })()'
step streams_and_gzip same 1000000 js '
const { pipeline } = require("stream/promises"), fs = require("fs"), z = require("zlib"); fs.writeFileSync("z", Buffer.alloc(1e6));
(async () => { await pipeline(fs.createReadStream("z"), z.createGzip(), fs.createWriteStream("z.gz")); console.log(z.gunzipSync(fs.readFileSync("z.gz")).length) })()'
step http_over_a_unix_socket same '50 pong' js '
const http = require("http"); const server = http.createServer((q, r) => r.end("pong")).listen("s", async () => {
  const get = () => new Promise((done, bad) => http.get({ socketPath: "s", path: "/" }, (r) => { let t = ""; r.on("data", (d) => t += d).on("end", () => done(t)) }).on("error", bad))
  const all = await Promise.all([...Array(50)].map(get)); console.log(all.length, all[0]); server.close() })'
step watch same changed js '
const fs = require("fs"); fs.writeFileSync("w", "1"); const w = fs.watch("w", () => { console.log("changed"); w.close() }); setTimeout(() => fs.writeFileSync("w", "2"), 50)'
step crypto same 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 js 'console.log(require("crypto").createHash("sha256").update("hello").digest("hex"))'
step signals same caught js 'process.on("SIGUSR2", () => { console.log("caught"); process.exit() }); process.kill(process.pid, "SIGUSR2"); setTimeout(() => {}, 5000)'
step an_exception_is_status_1 same 1 sh -c 'node -e "throw new Error(1)" 2>/dev/null; echo $?'
step much_garbage same done js 'let x; for (let i = 0; i < 2e6; ++i) x = { i, a: [i] }; console.log("done")'
finish
