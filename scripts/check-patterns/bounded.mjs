// Patterns that take more than linear time on some text, and why no such text reaches them.

/** @type {readonly { file: string, source: string, why: string }[]} */
export const BOUNDED = [
  {
    file: 'src/curation/recaption-prompts.ts',
    source: String.raw`^[\s*_"'\x60#]*(yes|no)\b[\s*_"'\x60.,:;–—-]*(.*)$`.replaceAll('\\x60', '`'),
    why: 'what follows the word matches any text, so that nothing is tried twice',
  },
  {
    file: 'src/iconworld/phrasing-frames.ts',
    source: String.raw`^\s*(?:(validation|test): )?(?:(\d) )?(.+)$`,
    why: 'lines of our own source',
  },
  {
    file: 'src/iconworld/vocabulary.ts',
    source: String.raw`\{[^}]*\}|#`,
    why: 'frames of our own source',
  },
  {
    file: 'src/images/jpeg.ts',
    source: String.raw`(\d+) extraneous bytes before marker 0xd9`,
    why: "libjpeg's own message of one line, whose number is an int",
  },
  {
    file: 'src/training/exporters/yaml.ts',
    source: String.raw`(?<=^[^'"#\n]*[ ])(-?\d+)(e[-+]?\d+)$`,
    why: 'a configuration that we wrote ourselves',
  },
  {
    file: 'src/training/model-card/lineage.ts',
    source: String.raw`models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]([0-9a-f]{40})[/\\]?$`,
    why: 'a path of the file system, which has at most a few thousand characters',
  },
  {
    file: 'src/training/rewards/policyshift.ts',
    source: String.raw`^<think>[\s\S]*?<\/think>\s*([\s\S]+)$`,
    why: 'what follows the thought matches any text, so that nothing is tried twice',
  },
];
