// Elements, dialogs and messages. Text always becomes a text node: a name with
// HTML in it is shown as it was typed.
import {t, locale} from './i18n.js';

// h makes an element. A property that begins with "on" is a listener; true
// sets an attribute, and false, null and undefined leave it out.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  return put(element, ...children);
}

// put makes children all that an element has; what is false, null or undefined
// is left out.
export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

// field is a control with its label.
export function field(label, control, hint) {
  control.id ||= unique('field');
  const about = hint && h('small', {id: unique('hint')}, hint);
  if (about) control.setAttribute('aria-describedby', about.id);
  return h('div', {class: 'field'}, h('label', {for: control.id}, label), control, about);
}

let last = 0;
export const unique = (prefix) => `${prefix}-${++last}`;

export const button = (text, onclick, properties = {}) => h('button', {type: 'button', onclick, ...properties}, text);

// form calls send when it is submitted, and keeps it from being sent twice.
export function form(send, ...children) {
  return h('form', {
    onsubmit: async (event) => {
      event.preventDefault();
      const submit = [...event.currentTarget.querySelectorAll('button:not([type=button])')];
      submit.forEach((b) => { b.disabled = true; });
      await attempt(() => send(new FormData(event.target)));
      submit.forEach((b) => { b.disabled = false; });
    },
  }, ...children);
}

// list has a term and a description for each pair.
export const terms = (pairs) => h('dl', {}, pairs.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))));

// say tells that something worked, complain that it did not; both replace what
// was said before, and an empty text takes it away.
export function say(text) {
  document.getElementById('failed').textContent = '';
  document.getElementById('said').textContent = text;
}

export function complain(error) {
  document.getElementById('said').textContent = '';
  document.getElementById('failed').textContent = explain(error);
}

// explain is an error in a sentence. The daemon's are made for that; they are
// in English, and other languages have their own for the codes they know.
export function explain(error) {
  if (error.code) return t(`problem.${error.code}`, {}, error.message);
  return t('failed.network', {error: error.message});
}

// attempt says what failed, and tells whether it did not.
export async function attempt(action) {
  say('');
  try {
    await action();
    return true;
  } catch (error) {
    if (error.name !== 'AbortError') complain(error);
    return false;
  }
}

// ask shows a dialog, and returns the form's data, or null when the dialog was
// closed another way. Without cancel there is one button.
export function ask(title, content, action, {danger = false, cancel = true} = {}) {
  return new Promise((resolve) => {
    let answer = null;
    const heading = h('h2', {id: unique('dialog')}, title);
    const box = h('dialog', {'aria-labelledby': heading.id},
      h('form', {
        onsubmit: (event) => {
          event.preventDefault();
          answer = new FormData(event.target);
          box.close();
        },
      }, heading, content, h('div', {class: 'buttons'},
        cancel && button(t('cancel'), () => box.close()),
        h('button', {class: danger ? 'danger' : 'primary'}, action))));
    box.addEventListener('close', () => {
      box.remove();
      resolve(answer);
    });
    document.body.append(box);
    box.showModal();
  });
}

// image shows a blob, and gives its memory back when the next one is shown.
export function image(alt, properties = {}) {
  const img = h('img', {alt, ...properties});
  let address = '';
  return {
    img,
    show(blob) {
      const old = address;
      address = blob ? URL.createObjectURL(blob) : '';
      if (blob) img.src = address;
      else img.removeAttribute('src');
      if (old) URL.revokeObjectURL(old);
    },
  };
}

// time is a moment as people write it, with what programs read.
export function time(text, style = {dateStyle: 'medium', timeStyle: 'medium'}) {
  return h('time', {datetime: text}, new Intl.DateTimeFormat(locale(), style).format(new Date(text)));
}

// state is a word with a colour.
export const state = (kind, text) => h('span', {class: `state ${kind}`}, text);

// sleep ends after so many milliseconds, or when the signal does.
export const sleep = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, {once: true});
});
