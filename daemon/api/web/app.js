// The frame of the page: which view is shown, the language, the token.
import * as api from './api.js';
import {ask, button, explain, field, h, say} from './dom.js';
import {language, languageName, languages, setLanguage, t} from './i18n.js';
import * as live from './live.js';
import * as people from './people.js';
import * as enrol from './enrol.js';
import * as unknown from './unknown.js';
import * as history from './history.js';
import * as health from './health.js';
import * as settings from './settings.js';

// A view shows itself in an element until its signal ends. One that belongs to
// another has no place of its own in the navigation.
const views = {live, people, enrol, unknown, history, health, settings};
const within = {enrol: 'people'};

const main = document.getElementById('main');
let leave = new AbortController();

// where is the view that the address names, and its parameters.
function where() {
  const url = new URL(location.hash.slice(1) || '/', location.origin);
  const name = url.pathname.slice(1);
  return {name: Object.hasOwn(views, name) ? name : 'live', parameters: url.searchParams};
}

async function go({focus}) {
  leave.abort();
  leave = new AbortController();
  const {signal} = leave;
  const {name, parameters} = where();
  say('');
  const title = t(`${name}.title`);
  document.title = `${title} – facerecd`;
  frame(within[name] ?? name);
  const heading = h('h1', {tabindex: '-1'}, title);
  const page = h('div', {class: `view ${name}`});
  main.replaceChildren(heading, page);
  if (focus) heading.focus();
  try {
    await views[name].show(page, {signal, parameters});
  } catch (error) {
    if (signal.aborted) return;
    page.replaceChildren(h('p', {role: 'alert', class: 'problem'}, explain(error)), button(t('retry'), () => go({focus: true})));
  }
}

// frame is what surrounds every view.
function frame(now) {
  document.documentElement.lang = language();
  document.getElementById('skip').textContent = t('skip');
  const nav = document.getElementById('nav');
  nav.setAttribute('aria-label', t('nav'));
  nav.replaceChildren(h('ul', {}, Object.keys(views).filter((name) => !within[name]).map((name) =>
    h('li', {}, h('a', {href: `#/${name}`, 'aria-current': name === now && 'page'}, t(`${name}.title`))))));
  const choice = document.getElementById('languages');
  choice.setAttribute('aria-label', t('language'));
  choice.replaceChildren(...Object.keys(languages).map((code) =>
    button(languageName(code), () => {
      setLanguage(code);
      go({focus: false});
      choice.querySelector(`[lang=${code}]`).focus();
    }, {lang: code, 'aria-pressed': String(code === language())})));
}

async function askToken(wrong) {
  for (;;) {
    const input = h('input', {name: 'token', type: 'password', autocomplete: 'current-password', required: true, 'aria-invalid': Boolean(wrong) && 'true'});
    const answer = await ask(t('token.title'), [
      h('p', {}, t('token.why')),
      wrong && h('p', {role: 'alert', class: 'problem'}, wrong.status === 401 ? t('token.wrong') : explain(wrong)),
      field(t('token.label'), input),
    ], t('token.send'), {cancel: false});
    if (answer) return answer.get('token');
  }
}

api.onToken(askToken);
frame(where().name);
main.replaceChildren(h('h1', {}, 'facerecd'));
window.addEventListener('hashchange', () => {
  if (location.hash.startsWith('#/')) go({focus: true}); // else it is the skip link
});
try {
  if (!await api.known()) await api.login();
} catch { /* the view says what is wrong */ }
go({focus: false});
