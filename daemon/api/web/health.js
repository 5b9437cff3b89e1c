// How the daemon fares, and what to do.
import * as api from './api.js';
import {h, put, sleep, state, terms, time} from './dom.js';
import {language, t} from './i18n.js';
import {cameraState} from './live.js';

export async function show(page, {signal}) {
  const overall = h('div', {role: 'status'});
  const rest = h('div');
  page.append(overall, rest);
  const draw = async () => {
    const health = await api.get('healthz', signal);
    const text = t(`health.${health.status}`);
    // Said again only when it has changed.
    if (overall.textContent !== text) overall.replaceChildren(state(health.status === 'ok' ? 'good' : 'bad', text));
    put(rest, sections(health));
  };
  await draw();
  (async () => {
    for (await sleep(5000, signal); !signal.aborted; await sleep(5000, signal)) await draw().catch(() => {});
  })();
}

const section = (title, ...content) => h('section', {}, h('h2', {}, t(title)), content);

function sections(health) {
  return [
    health.checks.length > 0 && section('health.checks', h('ul', {class: 'rows'}, health.checks.map((check) =>
      h('li', {class: 'card bad'}, h('p', {}, h('strong', {}, check.code), ' ', h('span', {class: 'muted'}, t('health.since'), ' ', time(check.since))), h('p', {lang: 'en'}, check.hint))))),
    section('health.cameras', h('ul', {class: 'rows'}, health.cameras.map((camera) =>
      h('li', {class: 'card'}, h('h3', {}, camera.name, ' ', cameraState(camera)),
        camera.hint && h('p', {lang: 'en'}, camera.hint),
        terms([
          [t('health.since'), time(camera.since)],
          ['fps', String(Math.round(camera.fps * 10) / 10)],
          ...['frames', 'skipped', 'damaged', 'lost', 'reopened'].map((what) => [t(`health.${what}`), camera[what].toLocaleString(language())]),
        ]))))),
    section('health.mqtt', terms([
      [t('health.connected'), t(health.mqtt.connected ? 'yes' : 'no')],
      [t('health.backlog'), String(health.mqtt.backlog)],
      [t('health.dropped'), String(health.mqtt.dropped)],
    ])),
    health.fleet && section('health.fleet', terms([['id', health.fleet.id], [t('health.in_step'), t(health.fleet.in_step ? 'yes' : 'no')]])),
    section('health.daemon', terms([
      [t('health.version'), health.version],
      [t('health.uptime'), duration(health.uptime_s)],
      health.process.rss_bytes && [t('health.memory'), `${Math.round(health.process.rss_bytes / 2 ** 20)} MiB`],
    ].filter(Boolean))),
  ];
}

function duration(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  return days ? `${days} d ${hours} h` : hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${seconds} s`;
}
