// The page's languages. Each has a module of strings with the same keys.
import en from './en.js';
import es from './es.js';

export const languages = {en, es};
const names = {en: 'English', es: 'Español'};
const kept = 'facerecd.language';

let current = chosen();

function chosen() {
  const wanted = [localStorage.getItem(kept), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((code) => Object.hasOwn(languages, code)) ?? 'en';
}

export const language = () => current;
export const languageName = (code) => names[code];

export function setLanguage(code) {
  current = code;
  localStorage.setItem(kept, code);
}

// locale is what dates and numbers are written for: the browser's own, where it
// is of the same language.
export const locale = () => navigator.languages.find((tag) => tag.startsWith(current)) ?? current;

// t is the text with the key, {name} replaced by values.name. With a value n,
// the key with ".one" or ".other" is used. Where there is none, it is otherwise.
export function t(key, values = {}, otherwise = key) {
  const strings = languages[current];
  const form = values.n === undefined ? key : `${key}.${new Intl.PluralRules(current).select(values.n) === 'one' ? 'one' : 'other'}`;
  const text = strings[form] ?? strings[key] ?? otherwise;
  return text.replace(/\{(\w+)\}/g, (_, name) => write(values[name]));
}

function write(value) {
  return typeof value === 'number' ? new Intl.NumberFormat(locale()).format(value) : String(value);
}

export const percent = (x) => new Intl.NumberFormat(locale(), {style: 'percent', maximumFractionDigits: 0}).format(x);
