// What was seen: by person, camera and time, or by a picture of a face.
import * as api from './api.js';
import {ask, attempt, button, field, form, h, image, say, time} from './dom.js';
import {insist} from './enrol.js';
import {percent, t} from './i18n.js';
import {what} from './live.js';

const step = 50;

export async function show(page, {signal, parameters}) {
  const [{people}, {cameras}] = await Promise.all([api.get(api.query(api.address('people'), {limit: 1000}), signal), api.get(api.address('cameras'), signal)]);
  const select = (name, options) => h('select', {name}, h('option', {value: ''}, t('history.all')), options.map(([value, text]) => h('option', {value}, text)));
  const list = h('ul', {class: 'rows'});
  const count = h('p', {role: 'status', class: 'muted'});
  const more = button(t('more'), () => attempt(next), {hidden: true});

  let wanted = {person: parameters.get('person'), stranger: parameters.get('stranger')};
  let before = '';
  async function next() {
    const {events} = await api.get(api.query(api.address('events'), {...wanted, before, limit: step}), signal);
    list.append(...events.map((event) => row(event, signal)));
    before = events.at(-1)?.id ?? '';
    more.hidden = events.length < step;
    count.textContent = list.children.length ? '' : t('history.none');
  }

  const search = form(async (data) => {
    // A time of the form is the browser's own; the daemon's are UTC.
    const moment = (name) => data.get(name) && new Date(data.get(name)).toISOString();
    wanted = {person: data.get('person'), camera: data.get('camera'), type: data.get('type'), since: moment('since'), until: moment('until')};
    before = '';
    list.replaceChildren();
    await next();
  },
  h('div', {class: 'fields'},
    field(t('history.person'), select('person', people.map((person) => [person.id, person.name]))),
    field(t('history.camera'), select('camera', cameras.map((camera) => [camera.name, camera.name]))),
    field(t('history.type'), select('type', ['recognized', 'unknown', 'left'].map((type) => [type, t(`history.${type}`)]))),
    field(t('history.since'), h('input', {name: 'since', type: 'datetime-local'})),
    field(t('history.until'), h('input', {name: 'until', type: 'datetime-local'}))),
  h('button', {class: 'primary'}, t('history.search')));

  const byPicture = form(async (data) => {
    const {events} = await api.post(api.address('events', 'search'), data);
    list.replaceChildren(...events.map((event) => row(event, signal)));
    more.hidden = true;
    count.textContent = t('history.found', {n: events.length});
  }, field(t('history.image'), h('input', {name: 'image', type: 'file', accept: 'image/jpeg,image/png', required: true}), t('history.image.hint')),
  h('button', {}, t('history.search.image')));

  page.append(h('details', {class: 'card'}, h('summary', {}, t('history.filter')), search, byPicture), count, list, more);
  search.elements.person.value = wanted.person ?? '';
  await next();
}

function row(event, signal) {
  const text = h('p', {class: 'grow'}, what(event), h('br'), h('span', {class: 'muted'}, time(event.time),
    event.zone && [' · ', event.zone], event.quiet && [' · ', t(`quiet.${event.quiet}`)],
    event.similarity !== undefined && [' · ', t('history.similarity', {similarity: percent(event.similarity)})]));
  const buttons = h('div', {class: 'buttons'});
  const element = h('li', {class: `card row ${event.type}`}, text, buttons);
  if (event.picture) {
    const {img, show: paint} = image('', {class: 'thumb', width: 64, height: 64});
    api.picture(api.address('events', event.id, 'picture.jpg'), signal).then(paint, () => img.remove());
    element.prepend(img);
  }
  // A correction concerns the other events of the track, too: the row is drawn
  // as it is now, and the rest when the search is made again.
  const correct = (action, done) => attempt(async () => {
    await action();
    const now = row(await api.get(api.address('events', event.id), signal), signal);
    element.replaceWith(now);
    (now.querySelector('button') ?? document.querySelector('main summary')).focus();
    say(done);
  });
  if (event.person) {
    const {name} = event.person;
    buttons.append(button(t('history.not', {name}), () => correct(() => api.post(api.address('events', event.id, 'not'), {}), t('history.not.done', {name}))));
  }
  if (event.embedding) {
    buttons.append(button(t('history.enrol'), async () => {
      const input = h('input', {name: 'name', value: event.person?.name ?? '', required: true, maxlength: 100, autocomplete: 'off'});
      const answer = await ask(t('history.enrol.title'), field(t('name'), input), t('history.enrol'));
      if (!answer) return;
      const name = answer.get('name');
      correct(() => insist(name, (force) => api.post(api.address('events', event.id, 'enrol'), {name, force})), t('history.enrol.done', {name}));
    }));
  }
  return element;
}
