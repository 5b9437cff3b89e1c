// People who were seen and are not enrolled.
import * as api from './api.js';
import {ask, attempt, button, field, form, h, image, say, time, unique} from './dom.js';
import {t} from './i18n.js';

export async function show(page, {signal}) {
  const ignored = h('input', {type: 'checkbox', onchange: () => attempt(() => load(''))});
  const list = h('ul', {class: 'cards'});
  const more = button(t('more'), () => attempt(() => load(next)), {hidden: true});
  const names = h('datalist', {id: unique('names')});
  const none = h('p', {role: 'status'});
  page.append(h('p', {}, t('unknown.intro')), h('label', {class: 'check'}, ignored, ' ', t('unknown.ignored')), none, list, more, names);

  let next = '';
  async function load(before) {
    const answer = await api.get(api.query(api.address('unknown'), {before, ignored: ignored.checked}), signal);
    if (!before) list.replaceChildren();
    list.append(...answer.unknown.map(card));
    next = answer.next ?? '';
    more.hidden = !next;
    tell();
  }
  const tell = () => { none.textContent = list.children.length ? '' : t('unknown.none'); };

  function card(one) {
    const {img, show: paint} = image(t('unknown.picture', {n: one.count}), {class: 'face', width: 112, height: 112});
    api.picture(api.address('unknown', one.id, 'picture.jpg'), signal).then(paint, () => img.remove());
    const name = h('input', {name: 'name', required: true, maxlength: 100, autocomplete: 'off', list: names.id});
    const label = unique('stranger');
    const element = h('li', {class: 'card'}, img,
      h('h2', {id: label}, t('unknown.seen', {n: one.count}), one.ignored && ` (${t('unknown.is.ignored')})`),
      h('p', {class: 'muted'}, t('unknown.first'), ' ', time(one.first_seen), h('br'), t('unknown.last'), ' ', time(one.last_seen), h('br'), one.cameras.join(', '), h('br'),
        h('a', {href: `#/history?${new URLSearchParams({stranger: one.id})}`, 'aria-describedby': label}, t('people.history'))),
      form(async (data) => {
        const answer = await api.post(api.address('unknown', one.id, 'name'), {name: data.get('name')});
        gone();
        say(t('unknown.named', {name: answer.person.name, n: answer.relabelled}));
      }, field(t('name'), name), h('button', {class: 'primary', 'aria-describedby': label}, t('unknown.name'))),
      h('div', {class: 'buttons'},
        !one.ignored && button(t('unknown.ignore'), () => act(() => api.post(api.address('unknown', one.id, 'ignore')), 'unknown.ignore.done'), {'aria-describedby': label}),
        button(t('unknown.delete'), async () => {
          if (await ask(t('unknown.delete.title'), h('p', {}, t('unknown.delete.what')), t('unknown.delete'), {danger: true})) {
            act(() => api.remove(api.address('unknown', one.id)), 'unknown.delete.done');
          }
        }, {class: 'danger', 'aria-describedby': label})));

    const act = (action, done) => attempt(async () => {
      await action();
      gone();
      say(t(done));
    });
    // gone takes the card away, and the keyboard to the next one.
    function gone() {
      const near = element.nextElementSibling ?? element.previousElementSibling;
      element.remove();
      (near?.querySelector('input') ?? ignored).focus();
      tell();
    }
    return element;
  }

  await load('');
  const {people} = await api.get(api.query(api.address('people'), {limit: 1000}), signal);
  names.append(...people.map((person) => h('option', {value: person.name})));
}
