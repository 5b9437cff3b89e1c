// Who is enrolled.
import * as api from './api.js';
import {section as check} from './check.js';
import {ask, attempt, button, field, h, say, sleep, terms, time} from './dom.js';
import {t} from './i18n.js';

const step = 50; // people that are asked for at once

export async function show(page, {signal}) {
  const search = h('input', {type: 'search', autocomplete: 'off', oninput: later});
  const count = h('p', {class: 'muted', role: 'status'});
  const list = h('ul', {class: 'rows'});
  const more = button(t('more'), () => attempt(async () => {
    const before = list.children.length;
    await load(next);
    list.children[before]?.querySelector('a').focus();
  }), {hidden: true});
  page.append(
    h('p', {}, h('a', {class: 'button primary', href: '#/enrol'}, t('people.add'))),
    field(t('people.search'), search), count, list, more, check(signal));

  let next = '';
  let asked = 0; // counts the questions: an answer to an earlier one is dropped
  async function load(after) {
    const mine = ++asked;
    const answer = await api.get(api.query(api.address('people'), {limit: step, after, q: search.value.trim()}), signal);
    if (mine !== asked) return;
    if (!after) list.replaceChildren();
    list.append(...answer.people.map(row));
    next = answer.next ?? '';
    more.hidden = !next;
    tell();
  }

  // later waits for the rest of the word.
  async function later() {
    const mine = ++asked;
    await sleep(200, signal);
    if (mine === asked && !signal.aborted) attempt(() => load(''));
  }

  function tell() {
    const n = list.children.length;
    if (n) count.textContent = t(next ? 'people.first' : 'people.count', {n});
    else count.textContent = t(search.value.trim() ? 'people.unmatched' : 'people.none');
  }

  function row(person) {
    const name = h('h2', {id: `person-${person.id}`}, person.name);
    const act = (text, action, properties) => button(text, action, {'aria-describedby': name.id, ...properties});
    const element = h('li', {class: 'card row'},
      h('div', {class: 'grow'}, name, h('p', {class: 'muted'},
        t('people.templates', {n: person.templates}), ' · ', t('people.updated'), ' ', time(person.updated, {dateStyle: 'medium'}), ' · ',
        h('a', {href: `#/history?${new URLSearchParams({person: person.id})}`, 'aria-describedby': name.id}, t('people.history'))),
      person.stale > 0 && h('p', {class: 'problem'}, t('people.stale', {n: person.stale})),
      'notify' in person && h('label', {class: 'check'}, announced(person), ' ', t('people.notify'))),
      h('div', {class: 'buttons'},
        h('a', {class: 'button', href: `#/enrol?${new URLSearchParams({name: person.name})}`, 'aria-describedby': name.id}, t('people.photos')),
        act(t('people.rename'), () => rename(person, element)),
        act(t('people.delete'), () => forget(person, element), {class: 'danger'})));
    return element;
  }

  // announced is a switch: whether others are told of the person.
  function announced(person) {
    return h('input', {
      type: 'checkbox', checked: person.notify,
      async onchange(event) {
        const box = event.target;
        const done = await attempt(async () => {
          await api.patch(api.address('people', person.id), {notify: box.checked});
          say(t(box.checked ? 'people.notify.on' : 'people.notify.off', {name: person.name}));
        });
        if (!done) box.checked = !box.checked;
      },
    });
  }

  async function rename(person, element) {
    const input = h('input', {name: 'name', value: person.name, required: true, maxlength: 100, autocomplete: 'off'});
    const answer = await ask(t('people.rename.title', {name: person.name}), field(t('name'), input), t('people.rename'));
    if (!answer) return;
    await attempt(async () => {
      const renamed = row(await api.patch(api.address('people', person.id), {name: answer.get('name')}));
      element.replaceWith(renamed);
      renamed.querySelector('.buttons button').focus();
      say(t('people.renamed', {name: renamed.querySelector('h2').textContent}));
    });
  }

  async function forget(person, element) {
    const sure = await ask(t('people.delete.title', {name: person.name}), h('p', {}, t('people.delete.what')), t('people.delete'), {danger: true});
    if (!sure) return;
    await attempt(async () => {
      const receipt = await api.remove(api.address('people', person.id));
      element.remove();
      tell();
      await ask(t('receipt.title', {name: person.name}), receiptOf(receipt), t('close'), {cancel: false});
      say(t('people.deleted', {name: person.name}));
      search.focus();
    });
  }

  await load('');
}

// receiptOf says what was deleted: all that the daemon counts.
function receiptOf(receipt) {
  const counts = Object.entries(receipt).filter(([, value]) => typeof value === 'number');
  return [
    terms(counts.map(([what, n]) => [t(`receipt.${what}`, {}, what), String(n)])),
    h('p', {}, t(receipt.purged ? 'receipt.purged' : 'receipt.purging')),
  ];
}
