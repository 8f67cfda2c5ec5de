# node: JIT-compiled code, workers, files, children, sockets.
PATH=/usr/bin:/bin
command -v node >/dev/null || { echo "SKIPPED: no node"; exit 77; }
cat >p.js <<'JS'
const fs = require('fs').promises, cp = require('child_process'), http = require('http'), zlib = require('zlib');
const {Worker, isMainThread, parentPort, workerData} = require('worker_threads');
const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);
const once = (e, name) => new Promise(ok => e.once(name, ok));

async function main() {
  console.log('jit', fib(24));
  console.log('workers', (await Promise.all([1, 2, 3, 4].map(
      n => once(new Worker(__filename, {workerData: n}), 'message')))).join());
  await Promise.all([...Array(50).keys()].map(i => fs.writeFile('f' + i, 'd'.repeat(i))));
  const stats = await Promise.all([...Array(50).keys()].map(i => fs.stat('f' + i)));
  console.log('files', stats.reduce((sum, s) => sum + s.size, 0));
  const packed = zlib.gzipSync(Buffer.alloc(1e5, 'abc'));
  console.log('zlib', zlib.gunzipSync(packed).length);
  const r = cp.spawnSync('sh', ['-c', 'cat; echo err >&2; exit 3'], {input: 'in'});
  console.log('child', r.status, r.stdout.toString(), r.stderr.toString().trim());
  const server = http.createServer((req, res) => res.end('got ' + req.url)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bodies = await Promise.all([...Array(10).keys()].map(i => new Promise(
      ok => http.get({host: '127.0.0.1', port: server.address().port, path: '/' + i},
                     async res => { let s = ''; for await (const c of res) s += c; ok(s); }))));
  console.log('http', bodies.join());
  server.close();
  process.once('SIGUSR2', () => console.log('signal'));
  const timer = setInterval(() => {}, 10);
  process.kill(process.pid, 'SIGUSR2');
  await once(process, 'SIGUSR2');
  clearInterval(timer);
  process.exitCode = 5;
}
if (isMainThread) main(); else parentPort.postMessage(fib(15 + workerData));
JS
exec node p.js
