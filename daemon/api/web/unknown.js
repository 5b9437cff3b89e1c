// People who were seen and are not enrolled.
import * as api from './api.js';
import {ask, attempt, button, field, form, h, image, say, time, unique} from './dom.js';
import {t} from './i18n.js';

export async function show(page, {signal}) {
  const ignored = h('input', {type: 'checkbox', onchange: () => attempt(load)});
  const list = h('ul', {class: 'cards'});
  const more = button(t('more'), () => attempt(next), {hidden: true});
  const names = h('datalist', {id: unique('names')});
  const none = h('p', {role: 'status'});
  page.append(h('p', {}, t('unknown.intro')), h('label', {class: 'check'}, ignored, ' ', t('unknown.ignored')), none, list, more, names);

  let cursor = '';
  async function load() {
    cursor = '';
    list.replaceChildren();
    await next();
    if (!list.children.length) none.textContent = t('unknown.none');
  }

  async function next() {
    const page = await api.get(api.query(api.address('unknown'), {before: cursor}), signal);
    cursor = page.next ?? '';
    list.append(...page.unknown.filter((one) => !one.ignored || ignored.checked).map(card));
    none.textContent = '';
    more.hidden = !cursor;
  }

  function card(one) {
    const {img, show: paint} = image(t('unknown.picture', {n: one.count}), {class: 'face', width: 112, height: 112});
    api.picture(api.address('unknown', one.id, 'picture.jpg'), signal).then(paint, () => img.remove());
    const name = h('input', {name: 'name', required: true, maxlength: 100, autocomplete: 'off', list: names.id});
    const label = unique('stranger');
    const element = h('li', {class: 'card'}, img,
      h('h2', {id: label}, t('unknown.seen', {n: one.count})),
      h('p', {class: 'muted'}, t('unknown.first'), ' ', time(one.first_seen), h('br'), t('unknown.last'), ' ', time(one.last_seen), h('br'), one.cameras.join(', ')),
      form(async (data) => {
        const answer = await api.post(api.address('unknown', one.id, 'name'), {name: data.get('name')});
        say(t('unknown.named', {name: answer.person.name, n: answer.relabelled}));
        gone();
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
      if (!list.children.length) none.textContent = t('unknown.none');
    }
    return element;
  }

  await load();
  const {people} = await api.get(api.address('people'), signal);
  names.append(...people.slice(0, 1000).map((person) => h('option', {value: person.name})));
}
