#!/usr/bin/env node
import { EXIT } from './exit-codes.js';
import { reportFailure, run } from './program.js';

const err = (text: string): void => void process.stderr.write(`${text}\n`);

// A reader that closes early, such as `head`, is no error of ours; a full disk is told, and is no verdict.
for (const [name, stream] of [
  ['standard output', process.stdout],
  ['standard error', process.stderr],
] as const) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.brokenPipe);
    if (stream === process.stdout) err(`error: cannot write to ${name} (${error.code}); make room there`);
    process.exit(EXIT.userError);
  });
}

// A command that must tidy up (training saves its state) adds its own listener and then decides alone.
process.on('SIGINT', function interrupt() {
  if (process.listenerCount('SIGINT') > 1) return;
  process.off('SIGINT', interrupt);
  // To die of the signal is at once and reads as 130 in a shell; process.exit would wait for a read that is under way.
  process.kill(process.pid, 'SIGINT');
  // Only the first process of a container gets here: it does not die of signals.
  process.exit(EXIT.interrupted);
});

// What is thrown where nobody waits for it would end with 1, which says that some verdict is unsafe.
const fail = (error: unknown): never => process.exit(reportFailure(error, err));
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

// Nothing left to wait for although the command is not done: without this Node ends with 13, or 0, and no word.
let done = false;
process.on('beforeExit', () => {
  if (!done) fail(new Error('the command waits for something that never comes'));
});

run(process.argv.slice(2)).then((code) => {
  done = true;
  if (code !== undefined) process.exitCode = code;
}, fail);
