/** @module Opening the models of a run: those that several roles share are opened once. */
import { EMBEDDED_NAME } from '../checkpoint/embedded.js';
import { type DownloadProgress, resolveModel } from '../checkpoint/hub/index.js';
import type { Engine } from '../engines/engine.js';
import { LocalEngine } from '../engines/local.js';
import { OpenAIEngine } from '../engines/openai.js';
import type { ModelChoice, RecaptionConfig } from './recaption-config.js';

/** Who does what; null where no model does it. */
export interface RecaptionEngines {
  readonly captioner: Engine;
  readonly rewriter: Engine | null;
  readonly judge: Engine | null;
  close(): Promise<void>;
}

const MILLISECONDS = 1000;

/** What shows how far a model of the hub is fetched. */
export type OnDownload = (progress: DownloadProgress) => void;

/** @throws UserError where one of them cannot be opened. */
export async function openEngines(
  config: RecaptionConfig,
  onDownload?: OnDownload,
): Promise<RecaptionEngines> {
  const opened = new Map<string, Engine>();
  const open = async (choice: ModelChoice): Promise<Engine> => {
    const key = JSON.stringify(choice);
    const engine = opened.get(key) ?? (await openEngine(choice, config.concurrency, onDownload));
    opened.set(key, engine);
    return engine;
  };
  const close = async (): Promise<void> => {
    for (const engine of opened.values()) await engine.close();
  };
  try {
    const captioner = await open(config.captioner);
    const other = (choice: ModelChoice | string): Promise<Engine> | Engine | null =>
      typeof choice !== 'string' ? open(choice) : choice === 'captioner' ? captioner : null;
    const rewriter = await other(config.rewriter);
    return { captioner, rewriter, judge: await other(config.judge), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openEngine(
  choice: ModelChoice,
  concurrency: number,
  onProgress?: OnDownload,
): Promise<Engine> {
  const { engine, model = EMBEDDED_NAME, adapter, base_url: baseURL, api_key_env, timeout } = choice;
  if (engine === 'openai' && baseURL !== undefined) {
    return new OpenAIEngine({
      baseURL,
      model,
      concurrency,
      ...(api_key_env !== undefined && { apiKeyVariable: api_key_env }),
      ...(timeout !== undefined && { timeout: Math.ceil(timeout * MILLISECONDS) }),
    });
  }
  const folder = await resolveModel(model, { onProgress });
  return LocalEngine.load(folder, {
    adapter: adapter === undefined ? undefined : await resolveModel(adapter, { onProgress }),
  });
}
