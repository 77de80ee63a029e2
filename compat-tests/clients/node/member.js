'use strict';
// The step member: what a member of a group says of itself, and the end of stdin, which tells it to leave.

const GROUP = process.env.GROUP || '';
const PROTOCOL = process.env.GROUP_PROTOCOL || 'classic';
const SESSION = 6000; // ms

const say = (...words) => console.log(['member', ...words].join(' '));

const has = (partitions) => say('has', ...[...partitions].sort((a, b) => a - b));

const toldToLeave = () => new Promise((done) => {
  process.stdin.on('end', done);
  process.stdin.resume();
});

// held reads a member's records and commits each before the next. A commit that fails stays pending for the next one.
function held(topic, commit) {
  const pending = new Map();
  return {
    forget: (partitions) => partitions.forEach((p) => pending.delete(p)),
    read: async (partition, message) => {
      say('read', message.value.toString());
      pending.set(partition, String(Number(message.offset) + 1));
      try {
        await commit([...pending].map(([p, offset]) => ({ topic, partition: p, offset })));
        pending.clear();
      } catch (e) {
        console.error(e.message);
      }
    },
  };
}

module.exports = { GROUP, PROTOCOL, SESSION, say, has, toldToLeave, held };
