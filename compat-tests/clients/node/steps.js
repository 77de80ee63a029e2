'use strict';
// What the Node clients' programs have in common: the records, the digest of what was read, the loop over the steps.

const crypto = require('crypto');
const readline = require('readline');

const RECORDS = 20;
const COMMIT_AT = 12;
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const PATIENCE = 40000; // ms

const record = (codec, i) => ({
  key: `k${i}`,
  value: `${codec}-${String(i).padStart(2, '0')} ${'dohle'.repeat(20)}`,
  timestamp: 1700000000000 + i * 1000,
});

// digest of records as {offset, key, value, headers} in the order of their offsets.
function digest(list) {
  const sum = crypto.createHash('sha256');
  for (const r of list) {
    const [name] = Object.keys(r.headers);
    sum.update(`${r.offset}\t${r.key}\t${r.value}\t${name}=${r.headers[name]}\n`);
  }
  return `${list.length} records, sha256 ${sum.digest('hex').slice(0, 8)}`;
}

function resumed(places) {
  const want = [];
  for (let i = COMMIT_AT; i < RECORDS; i++) want.push(`0@${i}`);
  return places.join() === want.join() ? 'resumed exactly' : `resumed with ${places}`;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(ok) {
  for (const end = Date.now() + PATIENCE; !ok(); await pause(20)) {
    if (Date.now() > end) return false;
  }
  return true;
}

function restart() {
  console.log('restart please');
  const lines = readline.createInterface({ input: process.stdin });
  return new Promise((done) => lines.once('line', () => { lines.close(); done(); }));
}

async function run(make) {
  const args = process.argv.slice(2);
  if (args.length !== 4 || args[0] !== '--steps') {
    console.error('usage: --steps LIST BOOTSTRAP TOPIC');
    process.exit(2);
  }
  const client = make(args[2], args[3]);
  let code = 0;
  for (const step of args[1].split(',')) {
    const [verb, codec] = step.split('-');
    const does = ['produce', 'consume'].includes(verb) ? client[verb] && (() => client[verb](codec, CODECS.indexOf(codec))) : client[step];
    let line;
    try {
      const ask = step === 'describe-topic' && does ? () => does().catch((e) => `failed: ${e.message}`) : does;
      line = does ? await ask() : 'not in this client';
      // A broker learns of a change a moment later: for ten seconds it is asked again.
      for (const end = Date.now() + 10000; Date.now() < end; await pause(50)) {
        if (step === 'alter-config' && !line.endsWith('=500000')) line = await does();
        else if (step === 'describe-topic' && !line.startsWith('5 ')) line = await ask();
        else if (line === 'still there') line = (await client['list-topics']()) === 'in the list' ? line : 'gone';
        else if (line === '5 partitions') line = (await client['describe-topic']()).startsWith('6 ') ? '6 partitions' : line;
        else break;
      }
    } catch (e) {
      line = `failed: ${String(e.message || e).replace(/\n/g, ' ')}`;
      code = 1;
    }
    console.log(`${step}: ${line}`);
  }
  process.exit(code);
}

module.exports = { RECORDS, COMMIT_AT, CODECS, PATIENCE, record, digest, resumed, pause, until, restart, run };
