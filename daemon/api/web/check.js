// What the enrolled photos say of each other: who would be missed, and who may
// be taken for somebody else.
import * as api from './api.js';
import {attempt, button, h, put, time} from './dom.js';
import {percent, t} from './i18n.js';

export function section(signal) {
  const result = h('div', {role: 'status'});
  const start = button(t('check.start'), async () => {
    start.disabled = true;
    result.textContent = t('check.working');
    if (!await attempt(async () => put(result, findings(await api.get(api.address('check'), signal))))) result.textContent = '';
    start.disabled = false;
    start.focus();
  });
  return h('section', {'aria-labelledby': 'check'}, h('h2', {id: 'check'}, t('check.title')), h('p', {}, t('check.what')), h('p', {}, start), result);
}

function findings(checkup) {
  const add = ({name}) => h('a', {href: `#/enrol?${new URLSearchParams({name})}`}, t('people.photos'));
  const items = [
    checkup.missed.map((found) => [t('check.missed', {name: found.person.name, missed: found.missed, templates: found.templates}), ' ', add(found.person)]),
    checkup.confusable.map((found) => t('check.confusable', {a: found.a.name, b: found.b.name, score: percent(found.score)})),
    checkup.hurts.map((found) => [
      t(found.better ? 'check.better' : 'check.nobody', {name: found.person.name, better: found.better?.name ?? ''}), ' (', time(found.created, {dateStyle: 'medium'}), ')']),
    checkup.few.map((found) => [t('check.few', {name: found.person.name, n: found.templates}), ' ', add(found.person)]),
  ].flat();
  return [
    h('p', {}, t('check.compared', {compared: checkup.compared, people: checkup.people})),
    items.length ? h('ul', {}, items.map((item) => h('li', {}, item))) : h('p', {}, t('check.well')),
    checkup.cut && h('p', {}, t('check.cut')),
  ];
}
