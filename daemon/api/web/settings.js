// What may change while the daemon runs, and where the rest is changed.
import * as api from './api.js';
import {attempt, h, say} from './dom.js';
import {t} from './i18n.js';

export async function show(page, {signal}) {
  const [{cameras}, {settings}] = await Promise.all([api.get(api.address('cameras'), signal), api.get(api.address('settings'), signal)]);
  page.append(
    h('section', {'aria-labelledby': 'recognition'}, h('h2', {id: 'recognition'}, t('settings.recognition')), h('p', {}, t('settings.recognition.what')),
      h('ul', {class: 'rows'}, cameras.map((camera) => h('li', {class: 'card'}, h('label', {class: 'check'}, toggle(camera), ' ', camera.name))))),
    h('section', {'aria-labelledby': 'file'}, h('h2', {id: 'file'}, t('settings.file')), h('p', {}, t('settings.file.what')),
      h('div', {class: 'wide', tabindex: 0, role: 'region', 'aria-labelledby': 'file'}, h('table', {},
        h('thead', {}, h('tr', {}, ['key', 'value', 'meaning'].map((column) => h('th', {scope: 'col'}, t(`settings.${column}`))))),
        h('tbody', {}, settings.map(({key, value}) => h('tr', {}, h('th', {scope: 'row'}, h('code', {}, key)), h('td', {}, String(value)), h('td', {}, t(`setting.${key}`, {}, '')))))))));
}

function toggle(camera) {
  return h('input', {
    type: 'checkbox', checked: camera.state !== 'off',
    async onchange(event) {
      const box = event.target;
      box.disabled = true;
      const done = await attempt(async () => {
        await api.patch(api.address('cameras', camera.slug), {enabled: box.checked});
        say(t(box.checked ? 'settings.on' : 'settings.off', {camera: camera.name}));
      });
      if (!done) box.checked = !box.checked;
      box.disabled = false;
      box.focus();
    },
  });
}
