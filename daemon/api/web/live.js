// What the cameras see, and what happens.
import * as api from './api.js';
import {explain, h, image, sleep, state, time} from './dom.js';
import {percent, t} from './i18n.js';

const often = 5000; // between two looks at the cameras' state, in ms
const shown = 30; // events

export async function show(page, {signal}) {
  const cards = h('div', {class: 'cards'});
  const connection = h('p', {class: 'muted', role: 'status'});
  const list = h('ol', {class: 'events', reversed: true});
  page.append(
    h('section', {'aria-label': t('live.cameras')}, cards),
    h('section', {'aria-labelledby': 'events'},
      h('h2', {id: 'events'}, t('live.events')), connection,
      h('div', {role: 'log', 'aria-live': 'polite', 'aria-relevant': 'additions', 'aria-labelledby': 'events'}, list)));

  const {cameras} = await api.get(api.address('cameras'), signal);
  const {events} = await api.get(api.query(api.address('events'), {limit: shown}), signal);
  list.append(...events.map(line));
  if (!events.length) connection.textContent = t('live.quiet');

  watch(cards, cameras, signal);
  api.follow({
    signal,
    last: events[0]?.id,
    onEvent(event) {
      connection.textContent = '';
      list.prepend(line(event));
      while (list.children.length > shown) list.lastChild.remove();
    },
    onConnected(yes) {
      if (!yes) connection.textContent = t('live.lost');
      else if (list.children.length) connection.textContent = '';
    },
  });
}

// watch keeps a card for each camera.
async function watch(cards, cameras, signal) {
  const known = new Map();
  while (!signal.aborted) {
    for (const camera of cameras) {
      if (!known.has(camera.slug)) known.set(camera.slug, card(camera, signal));
      known.get(camera.slug).update(camera);
    }
    cards.replaceChildren(...cameras.map((camera) => known.get(camera.slug).element));
    if (!cameras.length) cards.append(h('p', {}, t('live.none')));
    await sleep(often, signal);
    try {
      ({cameras} = await api.get(api.address('cameras'), signal));
    } catch { /* the events' connection says it */ }
  }
}

// card shows one camera.
function card(camera, signal) {
  const badge = h('span');
  const hint = h('p', {class: 'hint'});
  const {img, show: paint} = image(t('live.picture', {camera: camera.name}));
  const element = h('article', {class: 'card camera', 'aria-label': camera.name},
    h('h2', {}, camera.name, ' ', badge), h('div', {class: 'picture'}, img), hint);
  let now = camera;
  const playing = () => now.state === 'streaming' || now.state === 'starting';

  (async () => {
    while (!signal.aborted) {
      if (!playing() || document.hidden) {
        await sleep(500, signal);
        continue;
      }
      try {
        const picture = await places.use(() => api.picture(api.query(api.address('cameras', now.slug, 'snapshot.jpg'), {overlay: 'boxes,names'}), signal));
        if (!playing()) continue;
        paint(picture);
        hint.textContent = '';
        await sleep(100, signal);
      } catch (error) {
        if (signal.aborted) return;
        paint(null); // an old picture must not pass for a live one
        if (playing()) hint.textContent = explain(error);
        await sleep(2000, signal);
      }
    }
  })();

  return {
    element,
    update(next) {
      now = next;
      badge.replaceChildren(cameraState(now));
      if (now.width) [img.width, img.height] = [now.width, now.height];
      if (!playing()) {
        paint(null);
        hint.textContent = now.state === 'off' ? t('live.off') : now.hint;
      }
    },
  };
}

export function cameraState(camera) {
  const kind = {streaming: 'good', off: '', starting: '', ended: ''}[camera.state] ?? 'bad';
  return state(kind, t(`camera.${camera.state}`));
}

// places bounds how many pictures are waited for at once. A browser opens six
// connections to a server; the events and the rest need some, too.
const places = {
  free: 4,
  queue: [],
  async use(action) {
    if (this.free > 0) this.free--;
    else await new Promise((resolve) => { this.queue.push(resolve); });
    try {
      return await action();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.free++;
    }
  },
};

// line is an event in a line.
function line(event) {
  return h('li', {class: event.type}, time(event.time, {timeStyle: 'medium'}), ' ', what(event));
}

// what is an event in words.
export function what(event) {
  const name = event.person?.name ?? t('nobody');
  const values = {name, camera: event.camera, confidence: percent(event.confidence)};
  return t(`event.${event.type}`, values);
}
