// Enrols somebody, with photos or before a camera.
import * as api from './api.js';
import {complain, explain, field, form, h, image, put, say, unique} from './dom.js';
import {byCamera} from './guide.js';
import {t} from './i18n.js';

export async function show(page, {signal, parameters}) {
  const name = h('input', {name: 'name', required: true, maxlength: 100, autocomplete: 'off', value: parameters.get('name') ?? ''});
  const files = h('input', {type: 'file', accept: 'image/jpeg,image/png', multiple: true, required: true});
  const result = h('section', {'aria-live': 'polite', 'aria-label': t('enrol.result')});

  const upload = form(async () => {
    result.replaceChildren(h('p', {}, t('enrol.working')));
    await register(name.value, [...files.files], result);
  }, h('h2', {}, t('enrol.upload')),
  field(t('enrol.files'), files, t('enrol.files.hint')),
  h('button', {class: 'primary'}, t('enrol.send')));
  name.setAttribute('form', upload.id = unique('form'));

  page.append(h('p', {}, t('enrol.intro')), field(t('name'), name), h('div', {class: 'cards'}, h('div', {class: 'card'}, upload)), result);
  const {cameras} = await api.get(api.address('cameras'), signal);
  const usable = cameras.filter((camera) => camera.state === 'streaming');
  if (usable.length) page.querySelector('.cards').append(byCamera(usable, name, (pictures) => register(name.value, pictures, result), signal));
}

// register sends the images, and says of each whether it was used.
async function register(name, images, result) {
  const body = new FormData();
  body.set('name', name);
  images.forEach((file, i) => body.append('images', file, file.name || `${i + 1}.jpg`));
  let answer;
  try {
    answer = await api.post('register', body);
    say(t('enrol.done', {name: answer.person.name, n: answer.accepted}));
  } catch (error) {
    if (!error.rejected?.length) {
      result.replaceChildren();
      throw error;
    }
    answer = {rejected: error.rejected};
    complain(error);
  }
  // Two files may have the same name: the reasons come in the images' order.
  const reasons = [...answer.rejected];
  put(result, h('h2', {}, t('enrol.result')), h('ul', {class: 'rows'}, images.map((file) => {
    const at = reasons.findIndex((reason) => reason.image === file.name);
    return verdict(file, at < 0 ? null : reasons.splice(at, 1)[0]);
  })), answer.person && h('p', {}, h('a', {class: 'button', href: '#/live'}, t('enrol.look')), ' ', h('a', {class: 'button', href: '#/people'}, t('people.title'))));
}

function verdict(file, reason) {
  const {img, show: paint} = image('', {class: 'thumb'});
  paint(file);
  return h('li', {class: `card row ${reason ? 'bad' : 'good'}`}, img, h('div', {class: 'grow'},
    h('p', {}, h('strong', {}, reason ? t('enrol.rejected') : t('enrol.accepted')), ' ', h('span', {class: 'muted'}, file.name)),
    reason && h('p', {}, explain({code: reason.reason, message: reason.detail}))));
}
