// The rooms of src/ in import order: each may import only from itself and those above it.
const rooms = [
  'util',
  'net',
  'images',
  'graph',
  'onnx',
  'runtime',
  'checkpoint',
  'nn',
  'optim',
  'models',
  'generation',
  'transformers',
  'engines',
  'policy',
  'guard',
  'iconworld',
  'datasets',
  'training',
  'evaluation',
  'curation',
  'cli',
];

export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...rooms.map((room, index) => ({
      name: `${room}-imports-only-from-above`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: `^src/(?!(${rooms.slice(0, index + 1).join('|')})/)` },
    })),
    {
      name: 'every-file-in-a-room',
      severity: 'error',
      from: { path: `^src/(?!index\\.ts$|(${rooms.join('|')})/)` },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.test\\.ts$' },
    tsPreCompilationDeps: true,
  },
};
