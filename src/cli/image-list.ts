/** @module Which images a command line means: files, folders, globs, lists, URLs, `-`. */
import { opendir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import picomatch from 'picomatch';
import { isDataUri } from '../images/data-uri.js';
import { messageOf, UserError } from '../util/errors.js';

export interface ImageListOptions {
  /** Of folders and globs only what one of these globs matches. */
  readonly include?: readonly string[];
  /** Of folders and globs nothing that one of these globs matches. */
  readonly exclude?: readonly string[];
  /** A file with one name a line; `-` for standard input. */
  readonly from?: string;
}

export interface ImageList {
  /** As they are judged: in the order given, what folders and globs hold sorted by name. */
  readonly names: readonly string[];
  /** Files of folders that are passed over because their names end unlike an image's. */
  readonly skipped: number;
}

/** Endings of the files that are taken from folders where no `--include` says otherwise. */
const IMAGE_ENDING = /\.(?:jpe?g|jfif|png|apng|webp|gif|bmp|dib|tiff?|avif)$/iu;
/** Some million names; more is no list. */
const MAX_LIST_BYTES = 256 * 1024 * 1024;

/** What names mean. @throws UserError for a folder or list that cannot be read, and a glob that matches nothing. */
export async function imageList(
  given: readonly string[],
  options: ImageListOptions = {},
  readStdin: () => Promise<Uint8Array> = noStdin,
): Promise<ImageList> {
  const listed = options.from === undefined ? [] : await namesIn(options.from, readStdin);
  const accepts = filterOf(options);
  const names: string[] = [];
  /** What folders and globs have given already, so that two that overlap give it once. */
  const found = new Set<string>();
  let skipped = 0;
  const take = (paths: readonly string[]): void => {
    for (const path of paths) {
      if (found.has(path)) continue;
      found.add(path);
      names.push(path);
    }
  };
  for (const name of [...given, ...listed]) {
    const kind = await kindOf(name);
    if (kind === 'folder') {
      const files = (await filesBelow(name)).sort(byName);
      const taken = files.filter((path) => accepts(inside(name, path), true));
      skipped += files.length - taken.length;
      take(taken);
    } else if (kind === 'glob') {
      const { base, glob } = picomatch.scan(slashes(name));
      const matches = picomatch(glob);
      const files = (await filesBelow(base === '' ? '.' : base)).sort(byName);
      const taken = files.filter((path) => {
        const rest = inside(base === '' ? '.' : base, path);
        return matches(rest) && accepts(rest, false);
      });
      if (taken.length === 0) {
        throw new UserError(`no file matches ${name}; check the pattern, and put it in quotes`, {
          code: 'not_found',
        });
      }
      take(taken);
    } else names.push(name);
  }
  return { names, skipped };
}

const noStdin = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array());
const byName = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
const slashes = (path: string): string => (sep === '\\' ? path.replaceAll('\\', '/') : path);
const inside = (folder: string, path: string): string => slashes(relative(folder, path));

/** A file that is there is itself, whatever characters its name has. */
async function kindOf(name: string): Promise<'one' | 'folder' | 'glob'> {
  if (name === '-' || /^https?:/iu.test(name) || isDataUri(name)) return 'one';
  const info = await stat(name).catch(() => null);
  if (info !== null) return info.isDirectory() ? 'folder' : 'one';
  return picomatch.scan(slashes(name)).isGlob ? 'glob' : 'one';
}

/** Patterns without a slash are for names in any folder. */
function filterOf({
  include = [],
  exclude = [],
}: ImageListOptions): (path: string, byEnding: boolean) => boolean {
  const anywhere = (glob: string): string => (glob.includes('/') ? glob : `**/${glob}`);
  const included = picomatch(include.map(anywhere), { dot: true, nocase: true });
  const excluded = picomatch(exclude.map(anywhere), { dot: true, nocase: true });
  return (path, byEnding) => {
    if (exclude.length > 0 && excluded(path)) return false;
    return include.length > 0 ? included(path) : !byEnding || IMAGE_ENDING.test(path);
  };
}

/** All regular files below a folder; hidden ones and links to folders are passed over. */
async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    try {
      for await (const entry of await opendir(next)) {
        if (entry.name.startsWith('.')) continue;
        const path = join(next, entry.name);
        if (entry.isDirectory()) folders.push(path);
        else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) files.push(path);
      }
    } catch (error) {
      throw new UserError(`the folder ${next} cannot be read (${messageOf(error)}); check the path`, {
        code: 'not_found',
      });
    }
  }
  return files;
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isFile(),
    () => false,
  );

async function namesIn(list: string, readStdin: () => Promise<Uint8Array>): Promise<string[]> {
  const bytes = list === '-' ? await readStdin() : await readList(list);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`the list ${list} is not UTF-8 text; save it as UTF-8, one name a line`);
  }
  const names = text.split(/\r?\n/u).filter((name) => name !== '');
  if (names.includes('-')) {
    throw new UserError(`the list ${list} names "-"; give standard input on the command line`);
  }
  if (names.length === 0) throw new UserError(`the list ${list} is empty; write one name a line`);
  return names;
}

async function readList(path: string): Promise<Uint8Array> {
  const info = await stat(path).catch(() => null);
  if (info !== null && info.size > MAX_LIST_BYTES) {
    throw new UserError(`the list ${path} is larger than ${MAX_LIST_BYTES} bytes; split it`, {
      code: 'too_large',
    });
  }
  try {
    return await readFile(path);
  } catch (error) {
    throw new UserError(`the list ${path} cannot be read (${messageOf(error)}); check the path`, {
      code: 'not_found',
    });
  }
}
