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
  if (!usable.length) return;
  const guided = (enrol, again) => outcome({name: name.value, result, enrol, again, insist: t('guide.force')});
  page.querySelector('.cards').append(byCamera(usable, name, guided, signal));
}

// register sends the images. With force, those are used, too, that look like
// somebody else.
async function register(name, images, result, force = false) {
  const body = new FormData();
  body.set('name', name);
  if (force) body.set('force', 'true');
  images.forEach((file) => body.append('images', file, file.name));
  await outcome({
    name, result, images,
    enrol: () => api.post('register', body),
    again: (judged) => register(name, images.filter((_, i) => inDoubt(judged[i])), result, true),
    insist: t('enrol.force'),
  });
}

// outcome enrols, and says of each image what became of it. When there is doubt
// whom one shows, a button with the text insist enrols again.
async function outcome({name, result, images = [], enrol, again, insist}) {
  let answer;
  try {
    answer = await enrol();
    say(t('enrol.done', {name: answer.person.name, n: answer.accepted}));
  } catch (error) {
    if (!error.images) {
      result.replaceChildren();
      throw error;
    }
    answer = {images: error.images, suggestions: []};
    complain(error);
  }
  put(result, h('h2', {}, t('enrol.result')),
    h('ul', {class: 'rows'}, answer.images.map((judged, i) => verdict(judged, images[i]))),
    answer.images.some(inDoubt) && h('p', {}, t('enrol.force.why', {name}), ' ', button(insist, () => attempt(() => again(answer.images)))),
    answer.suggestions.length > 0 && [h('h2', {}, t('enrol.better')), h('ul', {}, answer.suggestions.map((one) => h('li', {}, explain({code: one.code, message: one.detail}))))],
    answer.person && h('p', {class: 'buttons'}, h('a', {class: 'button', href: '#/live'}, t('enrol.look')), h('a', {class: 'button', href: '#/people'}, t('people.title'))));
}

// verdict is what became of an image: a file, or a look at a camera.
function verdict(judged, file) {
  const {img, show: paint} = image('', {class: 'thumb'});
  if (file) paint(file);
  const name = file?.name ?? t(`guide.${judged.image}.name`, {}, judged.image);
  const used = judged.verdict === 'accepted';
  return h('li', {class: `card row ${used ? 'good' : 'bad'}`}, file && img, h('div', {class: 'grow'},
    h('p', {}, h('strong', {}, used ? t('enrol.accepted') : t('enrol.rejected')), ' ',
      h('span', {class: 'muted'}, name, judged.quality > 0 && [' · ', t('enrol.quality', {quality: percent(judged.quality)})])),
    !used && h('p', {}, file ? reason(judged) : t(`guide.say.${judged.verdict}`, {}, reason(judged)))));
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
