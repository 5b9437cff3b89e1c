// Calls to the daemon. Where it wants a token, that is sent as a header, never
// in an address: addresses end up in logs and histories. An <img> sends no
// header, so pictures are fetched, too.
import {sleep} from './dom.js';

const kept = 'facerecd.token'; // in sessionStorage: gone with the tab
let token = sessionStorage.getItem(kept) ?? '';

// Problem is an error answer; its message says what to do.
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? '';
    this.images = body.images; // of an enrolment: a verdict on each
  }
}

// asks gets a token from the user; app.js sets it.
let asks = async () => '';
let asking = null;
export function onToken(ask) { asks = ask; }

// send is fetched, and asks for the token when it is wrong.
async function send(path, options) {
  for (;;) {
    const used = token;
    try {
      return await fetched(path, options);
    } catch (error) {
      if (error.status !== 401) throw error;
      if (used === token) await login();
    }
  }
}

async function fetched(path, options = {}) {
  const headers = {...options.headers};
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, {...options, headers, cache: 'no-cache', credentials: 'omit', redirect: 'error'});
  if (response.ok) return response;
  throw new Problem(response.status, await response.json().catch(() => ({})));
}

// login asks for the token until it is the right one. All who need it wait for
// the same question.
export function login() {
  asking ??= (async () => {
    for (let wrong = ''; ;) {
      token = (await asks(wrong)).trim();
      try {
        // One that cannot be in a header is not the right one.
        if (!/^[!-~]+$/.test(token)) throw new Problem(401, {code: 'unauthorized'});
        await fetched(address('settings'));
        break;
      } catch (error) {
        wrong = error;
      }
    }
    sessionStorage.setItem(kept, token);
  })().finally(() => { asking = null; });
  return asking;
}

// known tells whether the daemon takes us for somebody who may see more than
// its status. It answers this with 200 either way.
export const known = async () => 'version' in await (await fetched('healthz')).json();

export const get = async (path, signal) => (await send(path, {signal})).json();
export const picture = async (path, signal) => (await send(path, {signal})).blob();
export const post = (path, body) => change('POST', path, body);
export const patch = (path, body) => change('PATCH', path, body);
export const remove = (path) => change('DELETE', path);

// change sends a form as it is, and everything else as JSON.
async function change(method, path, body) {
  const options = {method};
  if (body instanceof FormData || body instanceof Blob) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = {'Content-Type': 'application/json'};
  }
  const response = await send(path, options);
  return response.status === 204 ? null : response.json();
}

// address is a path with its parts escaped.
export const address = (...parts) => ['api', 'v1', ...parts].map(encodeURIComponent).join('/');

// query is a path with those parameters that have a value.
export function query(path, parameters) {
  const set = Object.entries(parameters).filter(([, value]) => value);
  return set.length ? `${path}?${new URLSearchParams(set)}` : path;
}

// follow calls onEvent for each event after the one with the id last, until the
// signal ends. It comes back when the stream ends, and tells whether it is there.
export async function follow({last, signal, onEvent, onConnected}) {
  while (!signal.aborted) {
    try {
      const headers = last ? {'Last-Event-ID': last} : {};
      const response = await send(address('events', 'stream'), {signal, headers});
      onConnected(true);
      for await (const message of messages(response.body)) {
        if (message.id) last = message.id;
        if (message.data) onEvent(JSON.parse(message.data));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status === 400) last = ''; // it has forgotten that event
    }
    onConnected(false);
    await sleep(2000, signal);
  }
}

// guide enrols who stands before a camera, calls onGuidance with each thing that
// they are to do, and returns who was enrolled. Nobody is when the signal ends.
export async function guide(camera, body, signal, onGuidance) {
  const response = await send(address('cameras', camera, 'enrol'),
    {method: 'POST', body: JSON.stringify(body), headers: {'Content-Type': 'application/json'}, signal});
  for await (const {event, data} of messages(response.body)) {
    const said = JSON.parse(data);
    if (event === 'result') return said;
    if (event === 'problem') throw new Problem(said.status, said);
    onGuidance(said);
  }
  throw new Error('the stream has ended');
}

// messages are those of a text/event-stream.
async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const blocks = (buffer + value).split('\n\n');
    buffer = blocks.pop();
    for (const block of blocks) {
      yield Object.fromEntries(block.split('\n').filter((line) => !line.startsWith(':')).map((line) => {
        const at = line.indexOf(': ');
        return [line.slice(0, at), line.slice(at + 2)];
      }));
    }
  }
}
