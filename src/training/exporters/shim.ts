/** @module The Python that an engine imports: it asks the reward service, and needs the standard library alone. */

import { DEFAULT_HOST, DEFAULT_PORT } from '../rewards/wire.js';

/** Where `safeguard rewards serve` is found unless told otherwise. */
export const DEFAULT_REWARDS_URL = `http://${DEFAULT_HOST}:${DEFAULT_PORT}`;

/** Asks once a batch, though engines call each reward function for itself. */
const ask = (url: string): string => `"""Rewards of safeguard-vl, asked of \`safeguard rewards serve\`."""
import json, os, sys, time, urllib.error, urllib.request

URL = os.environ.get("SAFEGUARD_REWARDS_URL", ${JSON.stringify(url)}) + "/rewards"
TOKEN = os.environ.get("SAFEGUARD_REWARDS_TOKEN")
HEADERS = {"content-type": "application/json", **({"authorization": "Bearer " + TOKEN} if TOKEN else {})}
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
last = (None, None)


def post(body):
    for attempt in range(6):
        try:
            request = urllib.request.Request(URL, body.encode(), HEADERS)
            with direct.open(request, timeout=180) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            problem = error.read().decode()
            if error.code < 500 and error.code != 429:
                raise RuntimeError(f"{URL} refuses: {problem}") from error
        except OSError as error:
            problem = error
        time.sleep(2**attempt)
    raise RuntimeError(f"{URL} does not answer: {problem}. Start \`safeguard rewards serve\`.")


def ask(completions, samples, tokens=None):
    global last
    body = json.dumps({"completions": completions, "samples": samples, **({} if tokens is None else {"tokens": tokens})})
    known = last
    if known[0] != body:
        known = last = (body, post(body))
        for bad in known[1].get("errors", []):
            print(f"{URL}: completion {bad['row']} has no reward: {bad['message']}", file=sys.stderr)
    return known[1]
`;

/** TRL: functions by the names that train.py asks for; completions are chats of one turn. */
export const trlShim = (url: string): string => `${ask(url)}

def text_of(completion):
    content = completion[0]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def reward(name):
    def function(completions, completion_ids, sample, **_):
        return ask([text_of(one) for one in completions], sample, [len(ids) for ids in completion_ids])["rewards"][name]

    function.__name__ = name
    return function
`;

/** ms-swift: a class for each name, registered by import. */
export const msSwiftShim = (
  url: string,
  names: readonly (readonly [plugin: string, reward: string])[],
): string => `${ask(url)}

from swift.rewards import ORM, orms


def plugin(name):
    class Reward(ORM):
        def __call__(self, completions, sample, response_token_ids=None, **_):
            flat = [[i for part in ids for i in part] if ids and isinstance(ids[0], list) else ids for ids in response_token_ids or []]
            tokens = [len(ids) for ids in flat] if flat and all(flat) else None
            return ask(completions, sample, tokens)["rewards"][name]

    Reward.__name__ = name
    return Reward


${names.map(([name, reward]) => `orms[${JSON.stringify(name)}] = plugin(${JSON.stringify(reward)})`).join('\n')}
`;

/** verl: one completion at a time; what is not the score is logged, and a reward that does not apply is 0 there. */
export const verlShim = (url: string): string => `${ask(url)}

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    answer = ask([solution_str], [ground_truth])
    return {"score": answer["totals"][0], **{name: value[0] or 0.0 for name, value in answer["rewards"].items()}}
`;
