#!/usr/bin/env node
import { EXIT } from './exit-codes.js';
import { run } from './program.js';

// A reader that closes early, such as `head`, is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.brokenPipe);
    throw error;
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

const code = await run(process.argv.slice(2));
if (code !== undefined) process.exitCode = code;
