/** @module What of a folder goes to the hub: what the model needs to run and to be understood, and never a secret. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../../util/errors.js';
import { Adapter } from '../adapter.js';
import { Checkpoint } from '../checkpoint.js';
import { lacking } from './cache.js';
import { WANTED } from './resolve.js';

export interface UploadFile {
  /** Its name in the repository. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Where it lies, or what it holds. */
  readonly source: { readonly file: string } | { readonly text: string };
}

export interface FolderUpload {
  readonly kind: 'model' | 'adapter';
  readonly files: readonly UploadFile[];
  /** Entries of the folder that stay here, and why. */
  readonly leftOut: readonly { readonly path: string; readonly why: string }[];
}

const ADAPTER_FILE = 'adapter_config.json';
/** Besides what a model needs: what people need to know of it. */
const PAPERS = /^(?:README\.md|LICEN[CS]E(?:\.(?:md|txt))?|NOTICE(?:\.(?:md|txt))?)$/u;
const TRAINING_STATE = /^(?:optimizer\.safetensors|trainer_state\.json)$/u;

/** Names that hold keys, tokens and passwords by custom. */
const SECRET_NAMES: readonly RegExp[] = [
  /^\.env(?:\..*)?$/iu,
  /^\.(?:netrc|npmrc|pypirc|git-credentials|htpasswd|pgpass)$/iu,
  /^id_(?:rsa|dsa|ecdsa|ed25519)$/iu,
  /\.(?:pem|key|p12|pfx|kdbx|jks|keystore|ppk)$/iu,
  /^(?:hf[_-])?(?:tokens?|secrets?|credentials?|passwords?|api[_-]?keys?)(?:\.(?:txt|json|ya?ml|toml|ini))?$/iu,
];

/** How such things look inside a file; no more than their kind is ever said. */
const SECRET_TEXTS: readonly { readonly kind: string; readonly pattern: RegExp }[] = [
  { kind: 'a Hugging Face token', pattern: /\bhf_[A-Za-z0-9]{30,}/u },
  { kind: 'a private key', pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/u },
  { kind: 'an AWS key', pattern: /\bAKIA[0-9A-Z]{16}\b/u },
  { kind: 'a GitHub token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})/u },
  { kind: 'an API key', pattern: /\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{40,}/u },
];
/** Larger text files are no settings of anybody's. */
const MOST_SCANNED_BYTES = 64 * 1024 * 1024;

/**
 * The files of a checkpoint or adapter folder that are uploaded. Weights are opened, so that none that is cut off goes out.
 * @throws UserError for a folder that is neither, and for files that look like secrets.
 */
export async function folderUpload(folder: string): Promise<FolderUpload> {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UserError(`${folder} is no folder: give a checkpoint or adapter folder.`);
  refuseSecretNames(folder);
  const kind = await kindOf(folder);
  const files: UploadFile[] = [];
  const leftOut: { path: string; why: string }[] = [];
  for (const path of readdirSync(folder).sort()) {
    const file = join(folder, path);
    const info = statSync(file, { throwIfNoEntry: false });
    if (info?.isFile() && (WANTED.test(path) || PAPERS.test(path))) {
      files.push({ path, size: info.size, source: { file } });
    } else {
      leftOut.push({
        path,
        why: TRAINING_STATE.test(path)
          ? 'only needed to go on training'
          : info?.isDirectory()
            ? 'a folder'
            : 'no part of a model',
      });
    }
  }
  for (const file of files) refuseSecretText(file);
  return { kind, files, leftOut };
}

async function kindOf(folder: string): Promise<FolderUpload['kind']> {
  const missing = lacking(folder);
  if (missing.length > 0) {
    const isRun = existsSync(join(folder, 'metrics.jsonl'));
    throw new UserError(
      `${folder} is no checkpoint and no adapter (${missing.join(', ')} missing): give ` +
        (isRun
          ? 'one of the folders in this run, best or checkpoint-STEP.'
          : 'a folder with config.json, tokenizer.json and model.safetensors, or a PEFT adapter.'),
    );
  }
  if (existsSync(join(folder, ADAPTER_FILE))) {
    Adapter.open(folder).close();
    return 'adapter';
  }
  (await Checkpoint.open(folder)).close();
  return 'model';
}

/** Those of subfolders too: they would not be sent, but a folder that holds a key is not one to publish from. */
function refuseSecretNames(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!SECRET_NAMES.some((pattern) => pattern.test(basename(entry)))) continue;
    throw new UserError(
      `${join(folder, entry)} looks like a secret: move it out of the folder before anything of it is published.`,
    );
  }
}

/** @throws UserError that names the file and the kind of secret, and never the secret. */
export function refuseSecretText({ path, size, source }: UploadFile): void {
  if (path.endsWith('.safetensors') || size > MOST_SCANNED_BYTES) return;
  const text = 'text' in source ? source.text : readFileSync(source.file, 'utf8');
  const found = SECRET_TEXTS.find(({ pattern }) => pattern.test(text));
  if (found === undefined) return;
  throw new UserError(
    `${path} seems to hold ${found.kind}: take it out, and make it invalid if it was ever shared.`,
  );
}
