/** @module Decoders in processes of their own, shared by the whole program: a picture stops nobody else's work. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { assert, InternalError, UserError } from '../util/errors.js';
import { type Order, receiveFrames, type Report, sendFrame, type Size } from './frames.js';
import type { RgbImage } from './image.js';

/** Each decoder may hold two copies of the largest picture, some 300 MB; more of them than this help no server. */
const MOST_DECODERS = 8;
/** A decoder that has grown beyond this is replaced: its allocator gives memory back late or never. */
const MAX_IDLE_RSS = 384 * 1024 * 1024;
/** A decoder that nobody needed for so long gives its memory back. */
const IDLE_MS = 30_000;
/** What is kept of a decoder's last words, for the error that says why it did not start. */
const MAX_LAST_WORDS = 4096;
/** The pipe of {@link sendFrame}, beside the three standard ones. */
const PIPE = 3;

/** A picture to decode, or only to measure. */
export interface DecodeJob {
  readonly bytes: Uint8Array;
  readonly subject: string;
  readonly maxPixels: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly resizeTo?: ((size: Size) => Size) | undefined;
}

export interface DecodedPixels {
  readonly image: RgbImage;
  /** Its size before it was resized, after its orientation was applied. */
  readonly original: Size;
}

interface Task {
  readonly order: Order & { readonly kind: 'decode' | 'measure' };
  readonly job: DecodeJob;
  readonly done: (report: Report & { readonly kind: 'image' | 'size' }, bytes: Uint8Array) => void;
  readonly fail: (error: unknown) => void;
}

/** A queue in front of a few processes that decode; they start when they are needed and never keep the program alive. */
export class DecodePool {
  readonly #size: number;
  readonly #waiting: Task[] = [];
  readonly #decoders = new Set<Decoder>();

  readonly #onRss: ((bytes: number) => void) | undefined;

  /** @param onRss told the resident memory of a decoder, in bytes, after each picture that it decoded. */
  constructor(
    size: number = Math.min(availableParallelism(), MOST_DECODERS),
    onRss?: (bytes: number) => void,
  ) {
    this.#size = size;
    this.#onRss = onRss;
  }

  /** @throws UserError for a picture that cannot be read; what ends the signal is thrown as its reason. */
  async decode(job: DecodeJob): Promise<DecodedPixels> {
    const { subject, maxPixels } = job;
    const holds = job.resizeTo !== undefined;
    const { report, bytes } = await this.#work({ kind: 'decode', subject, maxPixels, holds }, job);
    assert(report.kind === 'image', 'a decoder measured instead of decoding');
    return { image: { ...report.size, data: bytes }, original: report.original };
  }

  /** The size of a picture after its orientation is applied; its pixels are not decoded. */
  async measure(job: DecodeJob): Promise<Size> {
    const { subject, maxPixels } = job;
    const { report } = await this.#work({ kind: 'measure', subject, maxPixels }, job);
    return report.size;
  }

  /** Ends all decoders; what they were at fails. */
  close(): void {
    for (const decoder of this.#decoders) decoder.end();
  }

  async #work(
    order: Task['order'],
    job: DecodeJob,
  ): Promise<{ report: Report & { kind: 'image' | 'size' }; bytes: Uint8Array }> {
    const { signal } = job;
    signal?.throwIfAborted();
    let abort: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const task: Task = { order, job, done: (report, bytes) => resolve({ report, bytes }), fail: reject };
        abort = () => {
          reject(signal?.reason);
          const place = this.#waiting.indexOf(task);
          if (place >= 0) this.#waiting.splice(place, 1);
          for (const decoder of this.#decoders) if (decoder.task === task) decoder.end();
        };
        signal?.addEventListener('abort', abort, { once: true });
        this.#waiting.push(task);
        this.#dispatch();
      });
    } finally {
      if (abort) signal?.removeEventListener('abort', abort);
    }
  }

  #dispatch(): void {
    for (const decoder of this.#decoders) {
      if (decoder.task !== undefined) continue;
      const task = this.#waiting.shift();
      if (task === undefined) return;
      decoder.take(task);
    }
    while (this.#waiting.length > 0 && this.#decoders.size < this.#size) {
      const decoder = new Decoder({
        idle: () => this.#dispatch(),
        rss: (bytes) => this.#onRss?.(bytes),
        ended: () => {
          this.#decoders.delete(decoder);
          this.#dispatch();
        },
      });
      this.#decoders.add(decoder);
      const task = this.#waiting.shift();
      if (task !== undefined) decoder.take(task);
    }
  }
}

interface DecoderEvents {
  readonly idle: () => void;
  readonly rss: (bytes: number) => void;
  readonly ended: () => void;
}

/** One process that decodes one picture at a time. */
class Decoder {
  /** What it is at. */
  task: Task | undefined;
  readonly #process: ChildProcess;
  readonly #pipe: Socket;
  readonly #events: DecoderEvents;
  #ready = false;
  #ended = false;
  #lastWords = '';
  #clock: NodeJS.Timeout | undefined;

  constructor(events: DecoderEvents) {
    this.#events = events;
    this.#process = spawn(process.execPath, decoderArguments(), {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      // glibc gives each thread an arena of its own, and what is freed there is not given back.
      env: { ...process.env, MALLOC_ARENA_MAX: '2' },
      windowsHide: true,
    });
    // Node opens pipes beyond the third as sockets.
    this.#pipe = this.#process.stdio[PIPE] as Socket;
    const failed = (error: Error): void => this.#over(`cannot be started: ${error.message}`);
    this.#process.on('error', failed);
    this.#process.on('close', (code, signal) => this.#over(`ended with ${signal ?? `code ${code}`}`));
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString()).slice(-MAX_LAST_WORDS);
    });
    // A process that is gone closes its pipe too; its end is told once.
    this.#pipe.on('error', () => undefined);
    receiveFrames(this.#pipe, (head, bytes) => this.#receive(head as Report, bytes));
    this.#rest();
  }

  take(task: Task): void {
    this.task = task;
    this.#alive(true);
    clearTimeout(this.#clock);
    if (this.#ready) this.#begin(task);
  }

  /** Ends the process at once, whatever it is at. */
  end(): void {
    if (this.#ended) return;
    this.#process.kill('SIGKILL');
    this.#over('was ended');
  }

  #begin({ order, job }: Task): void {
    this.#clock = setTimeout(() => {
      this.task?.fail(
        new UserError(
          `${job.subject} takes longer than ${job.timeoutMs / 1000} s to decode; convert it to a plain PNG or JPEG, or scale it down`,
          { code: 'too_slow' },
        ),
      );
      this.end();
    }, job.timeoutMs);
    sendFrame(this.#pipe, order, job.bytes);
  }

  #receive(report: Report, bytes: Uint8Array): void {
    const { task } = this;
    if (report.kind === 'ready') {
      this.#ready = true;
      if (task !== undefined) this.#begin(task);
      return;
    }
    if (task === undefined) return;
    switch (report.kind) {
      case 'size':
        if (task.order.kind === 'decode') {
          this.#choose(task, report.size);
          return;
        }
        task.done(report, bytes);
        break;
      case 'image':
        this.#events.rss(report.rss);
        task.done(report, bytes);
        break;
      case 'refused':
        task.fail(new UserError(report.message, { code: report.code }));
        break;
      case 'broken':
        task.fail(thrownElsewhere(report));
    }
    if (report.kind === 'image' && report.rss > MAX_IDLE_RSS) this.end();
    else this.#rest();
  }

  #choose(task: Task, size: Size): void {
    try {
      const target = task.job.resizeTo?.(size) ?? size;
      const { width, height } = target;
      assert(
        Number.isInteger(width) && Number.isInteger(height) && Math.min(width, height) > 0,
        `a picture cannot be resized to ${width} × ${height}`,
      );
      sendFrame(this.#pipe, { kind: 'target', size: { width, height } });
    } catch (error) {
      task.fail(error);
      sendFrame(this.#pipe, { kind: 'drop' });
      this.#rest();
    }
  }

  /** Waits for the next picture, without keeping the program alive. */
  #rest(): void {
    this.task = undefined;
    clearTimeout(this.#clock);
    this.#clock = setTimeout(() => this.end(), IDLE_MS).unref();
    this.#alive(false);
    queueMicrotask(this.#events.idle);
  }

  #over(how: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#clock);
    this.#alive(false);
    this.#pipe.destroy();
    const { task } = this;
    this.task = undefined;
    task?.fail(this.#ready ? crashed(task.job.subject, how) : notStarted(how, this.#lastWords));
    this.#events.ended();
  }

  #alive(keeps: boolean): void {
    // Node opens pipes of children as sockets.
    for (const handle of [this.#process, this.#pipe, this.#process.stderr as Socket | null]) {
      if (keeps) handle?.ref();
      else handle?.unref();
    }
  }
}

const crashed = (subject: string, how: string): UserError =>
  new UserError(`${subject} made its decoder fail (it ${how}); convert it to a plain PNG or JPEG first`, {
    code: 'invalid_image',
  });

const notStarted = (how: string, lastWords: string): InternalError =>
  new InternalError(`the process that decodes pictures ${how}\n${lastWords}`.trimEnd());

/** A bug's error with the stack of the process in which it happened. */
function thrownElsewhere({ name, message, stack }: Report & { kind: 'broken' }): Error {
  const error = new InternalError(message);
  error.name = name;
  error.stack = stack;
  return error;
}

/** The command line of a decoder: this file's neighbour, in the language that this file itself is in. */
function decoderArguments(): string[] {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const entry = fileURLToPath(new URL(`./decode-worker.${ending}`, import.meta.url));
  if (ending === 'ts') {
    const tsx = createRequire(import.meta.url).resolve('tsx');
    return ['--import', pathToFileURL(tsx).href, entry];
  }
  return [...plugAndPlay(process.execArgv), entry];
}

/** Of Node's own arguments those that let it find packages under Yarn's Plug'n'Play; the others concern this process. */
const plugAndPlay = (given: readonly string[]): string[] =>
  given.flatMap((argument, i) => {
    if (!/\.pnp\.(?:c?js|loader\.mjs)/u.test(argument)) return [];
    return argument.startsWith('-') ? [argument] : [given[i - 1] ?? '', argument];
  });

let shared: DecodePool | undefined;

/** The pool of this program. */
export function sharedPool(): DecodePool {
  shared ??= new DecodePool();
  return shared;
}
