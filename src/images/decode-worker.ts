/** @module A process that decodes pictures for another one, one at a time, and ends when that one does. */
import { Socket } from 'node:net';
import sharp from 'sharp';
import { assert, messageOf, UserError } from '../util/errors.js';
import { type Order, receiveFrames, type Report, sendFrame, type Size } from './frames.js';
import type { RgbImage } from './image.js';
import { measurePicture, readPicture } from './read-picture.js';
import { resizeBicubic } from './resize.js';

/** The pipe that the pool opened beside the three standard ones. */
const PIPE = 3;

// Decoding needs one thread; libvips' pool would take the cores from the model. No picture comes twice.
sharp.concurrency(1);
sharp.cache(false);

const pipe = new Socket({ fd: PIPE, readable: true, writable: true });
let held: RgbImage | undefined;

const report = (head: Report, bytes?: Uint8Array): void => sendFrame(pipe, head, bytes);
const sizeOf = ({ width, height }: Size): Size => ({ width, height });

function send(image: RgbImage, original: Size): void {
  const size = sizeOf(image);
  report({ kind: 'image', size, original, rss: process.memoryUsage.rss() }, image.data);
}

async function obey(order: Order, bytes: Uint8Array): Promise<void> {
  switch (order.kind) {
    case 'measure': {
      const size = await measurePicture(bytes, order);
      report({ kind: 'size', size });
      return;
    }
    case 'decode': {
      const image = await readPicture(bytes, order);
      if (!order.holds) {
        send(image, sizeOf(image));
        return;
      }
      held = image;
      report({ kind: 'size', size: sizeOf(image) });
      return;
    }
    case 'target': {
      assert(held, 'a decoder was given a target without a picture');
      const image = held;
      held = undefined;
      send(resizeBicubic(image, order.size.width, order.size.height), sizeOf(image));
      return;
    }
    case 'drop':
      held = undefined;
  }
}

receiveFrames(pipe, (head, bytes) => {
  obey(head as Order, bytes).catch((error: unknown) => {
    if (error instanceof UserError) {
      report({ kind: 'refused', message: error.message, code: error.code });
      return;
    }
    const { name, stack = '' } = error instanceof Error ? error : new Error(messageOf(error));
    report({ kind: 'broken', name, message: messageOf(error), stack });
  });
});

// The process that is decoded for is gone. Native work cannot be left politely: an orderly exit would wait for it.
const end = (): void => {
  process.kill(process.pid, 'SIGKILL');
};
pipe.on('close', end);
pipe.on('error', end);
// Ctrl-C reaches every process of the terminal; whether it ends pictures too is decided in the one that judges.
process.on('SIGINT', () => undefined);
report({ kind: 'ready' });
