import { spawnSync } from 'node:child_process';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addressOf, type Lookup } from './address.js';
import { type FetchOptions, fetchGuarded } from './fetch-guarded.js';

/** A server on loopback; the tests reach it by a name that their own lookup calls public or private. */
async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that speaks for itself, with no HTTP of Node's. */
async function serveRaw(answer: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const to =
  (...addresses: string[]): Lookup =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

const message = async (url: string, options: FetchOptions = {}): Promise<string> => {
  const error: unknown = await fetchGuarded(url, options).then(
    () => 'no error',
    (thrown: unknown) => thrown,
  );
  expect(error).toHaveProperty('name', 'UserError');
  return error instanceof Error ? error.message : '';
};

describe('where a URL may lead', () => {
  it.each([
    'http://127.0.0.1/x',
    'http://127.1/x',
    'http://2130706433/x',
    'http://0x7f000001/x',
    'http://0.0.0.0/x',
    'http://10.1.2.3/x',
    'http://172.16.0.1/x',
    'http://192.168.1.1/x',
    'http://169.254.169.254/latest/meta-data',
    'http://100.64.0.1/x',
    'http://224.0.0.1/x',
    'http://255.255.255.255/x',
    'http://[::1]/x',
    'http://[::]/x',
    'http://[fe80::1]/x',
    'http://[fd00::1]/x',
    'http://[::ffff:127.0.0.1]/x',
    'http://[::ffff:7f00:1]/x',
    'http://[64:ff9b::7f00:1]/x',
    'http://[2002:7f00:1::]/x',
    'http://[::7f00:1]/x',
    'http://[::5db8:d822]/x',
    'http://[::2]/x',
    'http://[2a00:1450:4001:80b:0:5efe:7f00:1]/x',
    'http://[2a00:1450:4001:80b:200:5efe:5db8:d822]/x',
    'http://[4000::1]/x',
    'http://[1fff::1]/x',
    'http://[3000::1]/x',
    'http://[2300::1]/x',
    'http://[2001:1::1]/x',
    'http://[2001:db8::1]/x',
    'http://[3fff::1]/x',
    'http://[3ffe::1]/x',
    'http://[fec0::1]/x',
    'http://[ff02::1]/x',
    'http://[64:ff9b:1::a00:1]/x',
    'http://[::ffff:0:7f00:1]/x',
    'http://168.63.129.16/metadata',
    'http://[::ffff:168.63.129.16]/metadata',
    'http://100.100.100.200/x',
    'http://192.0.0.192/x',
    'http://198.18.0.1/x',
    'http://240.0.0.1/x',
  ])('refuses %s', async (url) => {
    // The check alone: were it wrong, a fetch would send something.
    const lookup: Lookup = () => Promise.reject(new Error('an address was looked up'));
    await expect(addressOf(new URL(url), { lookup, allowPrivate: false })).rejects.toThrow(
      /is an address of a private or special network \(.+\); give the image as a file/,
    );
  });

  it('refuses before it connects', async () => {
    expect(await message('http://127.0.0.1:1/x')).toMatch(/is an address of a private or special network/);
  });

  it.each([
    '93.184.216.34',
    '2606:2800:220:1:248:1893:25c8:1946',
    '2001:4860:4860::8888',
    '2a00:1450:4001:80b::200e',
    '2400:cb00:2048:1::c629:d7a2',
    '2003:0:2e00::1',
    '::ffff:93.184.216.34',
  ])('calls %s public', async (address) => {
    await expect(
      addressOf(new URL('http://images.example/x'), { lookup: to(address), allowPrivate: false }),
    ).resolves.toMatchObject({ address });
  });

  it.each([
    ['a private address behind a name', to('10.0.0.1')],
    ['a name of which one address is private', to('93.184.216.34', '127.0.0.1')],
    ['what is no address', to('not an address')],
  ])('refuses %s', async (_, lookup) => {
    expect(await message('http://images.example/x', { lookup })).toMatch(/leads to .* private or special/);
  });

  it('refuses localhost by the system name service', async () => {
    expect(await message('http://localhost/x')).toMatch(/leads to (127\.0\.0\.1|::1), an address/);
  });

  it.each([
    ['file:///etc/passwd', /only http and https/],
    ['ftp://host/x', /only http and https/],
    ['data:image/png;base64,AA==', /only http and https/],
    ['no url', /"no url" is not a URL/],
    ['http://user:secret@host/x', /name or password in it \(host host\)/],
  ])('refuses %s', async (url, expected) => {
    const text = await message(url);
    expect(text).toMatch(expected);
    expect(text).not.toContain('secret');
  });

  it('says which name is unknown', async () => {
    expect(await message('http://gone.example/x', { lookup: async () => [] })).toMatch(
      /gone\.example has no address/,
    );
    const lookup: Lookup = async () => {
      throw new Error('ENOTFOUND gone.example');
    };
    expect(await message('http://gone.example/x', { lookup })).toMatch(/ENOTFOUND.*check the host name/);
  });

  it('allows the networks that are named, and no other', async () => {
    const port = await serve((_, response) => response.end('here'));
    const url = `http://127.0.0.1:${port}/`;
    await fetchGuarded(url, { allowPrivate: ['10.0.0.0/8', '127.0.0.1/32'] });
    expect(await message(url, { allowPrivate: ['10.0.0.0/8'] })).toMatch(/private or special/);
    expect(await message(url, { allowPrivate: ['ten'] })).toMatch(/"ten" is no network/);
  });

  it('connects to the address that was checked, and asks for the name once', async () => {
    const port = await serve((_, response) => response.end('here'));
    let asked = 0;
    const lookup: Lookup = async () => {
      asked += 1;
      return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
    };
    const { bytes } = await fetchGuarded(`http://images.example:${port}/x`, { lookup, allowPrivate: true });
    expect(Buffer.from(bytes).toString()).toBe('here');
    expect(asked).toBe(1);
  });
});

describe('redirects', () => {
  const redirecting = (location: string | undefined): RequestListener => {
    return (_, response) => response.writeHead(302, location === undefined ? {} : { location }).end();
  };

  it('follows them and says where it arrived', async () => {
    const port = await serve((request, response) =>
      request.url === '/a'
        ? response.writeHead(301, { location: '/b' }).end()
        : response.writeHead(200, { 'content-type': 'image/png' }).end('b'),
    );
    const fetched = await fetchGuarded(`http://127.0.0.1:${port}/a`, { allowPrivate: true });
    expect(fetched).toMatchObject({ url: `http://127.0.0.1:${port}/b`, contentType: 'image/png' });
  });

  it.each([
    ['file:///etc/passwd', /redirects to a place that is not allowed: file:/],
    ['http://user:secret@host/', /redirects to a place that is not allowed: a URL with a name/],
    ['http://', /redirects to a place that is not allowed: "http:\/\/" is not a URL/],
    [undefined, /redirects without saying where to/],
  ])('refuses one to %s', async (location, expected) => {
    const port = await serve(redirecting(location));
    expect(await message(`http://127.0.0.1:${port}/`, { allowPrivate: true })).toMatch(expected);
  });

  it('checks the address behind every one', async () => {
    const port = await serve(redirecting('http://second.example/'));
    const asked: string[] = [];
    const text = await message(`http://first.example:${port}/`, {
      allowPrivate: ['127.0.0.0/8'],
      lookup: async (host) => {
        asked.push(host);
        return [{ address: host === 'first.example' ? '127.0.0.1' : '10.0.0.1', family: 4 }];
      },
    });
    expect(asked).toEqual(['first.example', 'second.example']);
    expect(text).toMatch(/second\.example\/ leads to 10\.0\.0\.1/);
  });

  it('gives up on a circle', async () => {
    const port = await serve(redirecting('/again'));
    expect(await message(`http://127.0.0.1:${port}/`, { allowPrivate: true, maxRedirects: 3 })).toMatch(
      /redirects more than 3 times/,
    );
  });
});

describe('bodies', () => {
  const fetchLocal = (port: number, options: FetchOptions = {}): Promise<string> =>
    message(`http://127.0.0.1:${port}/`, { allowPrivate: true, ...options });

  it('refuses one whose declared size is above the limit without reading it', async () => {
    const port = await serve((_, response) => response.writeHead(200, { 'content-length': 101 }).write('x'));
    expect(await fetchLocal(port, { maxBytes: 100 })).toMatch(/larger than the limit of 100 bytes/);
  });

  it('ends one that never ends', async () => {
    let sent = 0;
    const port = await serve((_, response) => {
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        sent += chunk.length;
        if (!response.destroyed) response.write(chunk, () => setImmediate(more));
      };
      more();
    });
    expect(await fetchLocal(port, { maxBytes: 1_000_000 })).toMatch(/larger than the limit/);
    expect(sent).toBeLessThan(50_000_000);
  });

  it.each<[string, RequestListener]>([
    ['sends no header', () => undefined],
    ['stops in the middle', (_, response) => void response.writeHead(200).write('a')],
  ])('ends with a server that %s', async (_, listener) => {
    const port = await serve(listener);
    expect(await fetchLocal(port, { timeoutMs: 200 })).toMatch(/did not answer in full within 0\.2 s/);
  });

  it.each<[string, string]>([
    ['changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['changes it to nothing', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('ends with a server that %s', async (_, answer) => {
    const port = await serveRaw((socket) => void socket.write(answer));
    expect(await fetchLocal(port)).toMatch(
      /answered with HTTP status 101|closed the connection without an answer/,
    );
  });

  it.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => undefined],
    ['says no whole line', (socket) => void socket.write('HTTP/1.1 200')],
    [
      'announces an answer for ever',
      (socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'), 5);
        socket.on('close', () => clearInterval(timer));
      },
    ],
    [
      'sends a byte now and then',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const timer = setInterval(() => socket.write('x'), 5);
        socket.on('close', () => clearInterval(timer));
      },
    ],
  ])('ends by the time limit and by the signal with a server that %s', async (_, answer) => {
    const port = await serveRaw(answer);
    expect(await fetchLocal(port, { timeoutMs: 150 })).toMatch(/did not answer in full within 0\.15 s/);
    const controller = new AbortController();
    const fetching = fetchGuarded(`http://127.0.0.1:${port}/`, {
      allowPrivate: true,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(fetching).rejects.toThrow('enough');
  });

  it('keeps the process while it waits, so that a silent server ends in a sentence', () => {
    // The name service never answers and holds nothing: without a timer Node would end with code 13.
    const program = `
      import { fetchGuarded } from ${JSON.stringify(new URL('fetch-guarded.ts', import.meta.url).href)};
      await fetchGuarded('http://slow.example/', { lookup: () => new Promise(() => {}), timeoutMs: 100 }).catch(
        (error) => console.log(error.name),
      );`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ stdout, status }).toEqual({ stdout: 'UserError\n', status: 0 });
  });

  it('ends with a name service that never answers', async () => {
    const lookup: Lookup = () => new Promise(() => undefined);
    expect(await message('http://slow.example/', { lookup, timeoutMs: 100 })).toMatch(/did not answer/);
  });

  it.each<[string, RequestListener, RegExp]>([
    ['resets', (request) => void request.socket.destroy(), /cannot be reached: .*check the address/],
    [
      'resets in the middle',
      (request, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('a');
        setTimeout(() => request.socket.destroy(), 20);
      },
      /broke off before its end/,
    ],
    ['answers 404', (_, response) => void response.writeHead(404).end(), /HTTP status 404/],
    [
      'compresses',
      (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      /sent compressed \(gzip\)/,
    ],
  ])('says what a server does that %s', async (_, listener, expected) => {
    const port = await serve(listener);
    expect(await fetchLocal(port)).toMatch(expected);
  });

  it('says that nobody listens', async () => {
    expect(await fetchLocal(1)).toMatch(/cannot be reached: .*ECONNREFUSED/);
  });

  it('throws the reason of an abort', async () => {
    const port = await serve(() => undefined);
    const controller = new AbortController();
    const fetching = fetchGuarded(`http://127.0.0.1:${port}/`, {
      allowPrivate: true,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(fetching).rejects.toThrow('enough');
  });

  it('sends neither cookies nor keys, and asks for no compression', async () => {
    let headers: object = {};
    const port = await serve((request, response) => {
      headers = request.headers;
      response.end();
    });
    await fetchGuarded(`http://127.0.0.1:${port}/`, { allowPrivate: true });
    expect(Object.keys(headers).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ]);
  });
});
