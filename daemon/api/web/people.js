// Who is enrolled.
import * as api from './api.js';
import {ask, attempt, button, field, h, say, terms, time} from './dom.js';
import {t} from './i18n.js';

const step = 50; // people shown at first, and added by each press of "more"

export async function show(page, {signal}) {
  const search = h('input', {type: 'search', autocomplete: 'off', oninput: () => draw(step)});
  const count = h('p', {class: 'muted', role: 'status'});
  const list = h('ul', {class: 'rows'});
  const more = button(t('more'), () => draw(list.children.length + step));
  page.append(
    h('p', {}, h('a', {class: 'button primary', href: '#/enrol'}, t('people.add'))),
    field(t('people.search'), search), count, list, more);

  let people = [];
  async function load() {
    ({people} = await api.get(api.address('people'), signal));
    people.sort((a, b) => a.name.localeCompare(b.name));
    draw(step);
  }

  function draw(most) {
    const wanted = search.value.trim().toLocaleLowerCase();
    const found = people.filter((person) => person.name.toLocaleLowerCase().includes(wanted));
    count.textContent = people.length ? t('people.count', {n: found.length}) : t('people.none');
    const begin = most > step ? list.children.length : 0;
    const rows = found.slice(begin, most).map(row);
    if (begin) list.append(...rows);
    else list.replaceChildren(...rows);
    more.hidden = found.length <= most;
    if (begin) rows[0]?.querySelector('button, a')?.focus();
  }

  function row(person) {
    const name = h('h2', {id: `person-${person.id}`}, person.name);
    const act = (text, action, properties) => button(text, action, {'aria-describedby': name.id, ...properties});
    return h('li', {class: 'card row'},
      h('div', {class: 'grow'}, name, h('p', {class: 'muted'},
        t('people.templates', {n: person.templates}), ' · ', t('people.updated'), ' ', time(person.updated, {dateStyle: 'medium'})),
      person.stale > 0 && h('p', {class: 'problem'}, t('people.stale', {n: person.stale}))),
      h('div', {class: 'buttons'},
        h('a', {class: 'button', href: `#/enrol?${new URLSearchParams({name: person.name})}`, 'aria-describedby': name.id}, t('people.photos')),
        act(t('people.rename'), () => rename(person)),
        act(t('people.delete'), () => forget(person), {class: 'danger'})));
  }

  async function rename(person) {
    const input = h('input', {name: 'name', value: person.name, required: true, maxlength: 100, autocomplete: 'off'});
    const answer = await ask(t('people.rename.title', {name: person.name}), field(t('name'), input), t('people.rename'));
    if (!answer) return;
    await attempt(async () => {
      const renamed = await api.patch(api.address('people', person.id), {name: answer.get('name')});
      await load();
      say(t('people.renamed', {name: renamed.name}));
    });
    focusOn(person.id);
  }

  async function forget(person) {
    const sure = await ask(t('people.delete.title', {name: person.name}), h('p', {}, t('people.delete.what')), t('people.delete'), {danger: true});
    if (!sure) return;
    await attempt(async () => {
      const receipt = await api.remove(api.address('people', person.id));
      await load();
      await ask(t('receipt.title', {name: person.name}), receiptOf(receipt), t('close'), {cancel: false});
      say(t('people.deleted', {name: person.name}));
    });
    search.focus();
  }

  // focusOn keeps the keyboard where it was when the list is drawn again.
  const focusOn = (id) => list.querySelector(`#person-${id}`)?.closest('li').querySelector('a, button').focus();

  await load();
}

// receiptOf says what was deleted: all that the daemon counts.
function receiptOf(receipt) {
  const counts = Object.entries(receipt).filter(([, value]) => typeof value === 'number');
  return [
    terms(counts.map(([what, n]) => [t(`receipt.${what}`, {}, what), String(n)])),
    h('p', {}, t(receipt.purged ? 'receipt.purged' : 'receipt.purging')),
  ];
}
