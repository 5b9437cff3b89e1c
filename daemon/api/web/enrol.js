// Enrols somebody, with photos or before a camera.
import * as api from './api.js';
import {ask, attempt, button, complain, explain, field, form, h, image, put, say, unique} from './dom.js';
import {byCamera} from './guide.js';
import {percent, t} from './i18n.js';

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
  const usable = cameras.filter((camera) => ['starting', 'streaming'].includes(camera.state));
  if (usable.length) page.querySelector('.cards').append(byCamera(usable, name, (pictures) => register(name.value, pictures, result), signal));
}

// register sends the images, and says of each what became of it. With force,
// those are used, too, that look like somebody else.
async function register(name, images, result, force = false) {
  const body = new FormData();
  body.set('name', name);
  if (force) body.set('force', 'true');
  images.forEach((file) => body.append('images', file, file.name));
  let answer;
  try {
    answer = await api.post('register', body);
    say(t('enrol.done', {name: answer.person.name, n: answer.accepted}));
  } catch (error) {
    if (!error.images) {
      result.replaceChildren();
      throw error;
    }
    answer = {images: error.images, suggestions: []};
    complain(error);
  }
  const doubted = images.filter((_, i) => inDoubt(answer.images[i]));
  put(result, h('h2', {}, t('enrol.result')),
    h('ul', {class: 'rows'}, images.map((file, i) => verdict(file, answer.images[i]))),
    doubted.length > 0 && h('p', {}, t('enrol.force.why', {name}), ' ', button(t('enrol.force'), () => attempt(() => register(name, doubted, result, true)))),
    answer.suggestions.length > 0 && [h('h2', {}, t('enrol.better')), h('ul', {}, answer.suggestions.map((one) => h('li', {}, explain({code: one.code, message: one.detail}))))],
    answer.person && h('p', {class: 'buttons'}, h('a', {class: 'button', href: '#/live'}, t('enrol.look')), h('a', {class: 'button', href: '#/people'}, t('people.title'))));
}

function verdict(file, judged) {
  const {img, show: paint} = image('', {class: 'thumb'});
  paint(file);
  const used = judged.verdict === 'accepted';
  return h('li', {class: `card row ${used ? 'good' : 'bad'}`}, img, h('div', {class: 'grow'},
    h('p', {}, h('strong', {}, used ? t('enrol.accepted') : t('enrol.rejected')), ' ',
      h('span', {class: 'muted'}, file.name, judged.quality > 0 && [' · ', t('enrol.quality', {quality: percent(judged.quality)})])),
    !used && h('p', {}, reason(judged))));
}

// inDoubt tells whether a picture was not used only because of whom it shows.
const inDoubt = (judged) => ['looks_like', 'mismatch'].includes(judged.verdict);

function reason({verdict: code, detail, looks_like: other}) {
  if (code === 'looks_like' && other) return t('enrol.looks_like', {name: other.name, confidence: percent(other.confidence)});
  return explain({code, message: detail});
}

// insist enrols, and where the face looks like somebody else's, asks whether to
// do so anyway.
export async function insist(name, enrol) {
  try {
    return await enrol(false);
  } catch (error) {
    const doubted = error.images?.find(inDoubt);
    if (!doubted || !await ask(t('enrol.force.title', {name}), h('p', {}, reason(doubted)), t('enrol.force'))) throw error;
    return enrol(true);
  }
}
