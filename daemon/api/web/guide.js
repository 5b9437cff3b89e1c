// Enrolment before a camera: the daemon looks, and says what to do.
import * as api from './api.js';
import {attempt, button, field, h, image, say, sleep} from './dom.js';
import {t} from './i18n.js';

// byCamera is a form. It hands outcome what enrols, and what does so again by
// force.
export function byCamera(cameras, name, outcome, signal) {
  const choice = h('select', {}, cameras.map((camera) => h('option', {value: camera.slug}, camera.name)));
  const {img, show: paint} = image(t('live.picture', {camera: ''}));
  const says = h('p', {role: 'status', class: 'step'});
  const bar = h('progress', {'aria-label': t('guide.progress')});
  const count = h('span', {class: 'muted'});
  const start = button(t('guide.start'), () => run(['front', 'left', 'right']), {class: 'primary'});
  const one = button(t('guide.one'), () => run(['front']));
  const idle = h('div', {class: 'buttons'}, start, one);
  const cancel = button(t('cancel'), () => leave.abort());
  const busy = h('div', {hidden: true}, h('div', {class: 'picture'}, img), h('p', {class: 'row'}, bar, count), cancel);
  let leave;

  async function run(poses, force = false) {
    if (!name.reportValidity()) return;
    leave = new AbortController();
    const either = AbortSignal.any([signal, leave.signal]);
    const camera = choice.value;
    const show = ({taken, of, text}) => {
      if (says.textContent !== text) says.textContent = text; // a screen reader says it once
      bar.max = of;
      bar.value = taken;
      count.textContent = t('guide.count', {taken, of});
    };
    const enrol = () => api.guide(camera, {name: name.value, poses, force}, either,
      ({taken, of, code, detail}) => show({taken, of, text: t(`guide.say.${code}`, {}, detail)}));

    show({taken: 0, of: poses.length, text: t('guide.wait')});
    [busy.hidden, idle.hidden, choice.disabled] = [false, true, true];
    cancel.focus();
    watch(camera, paint, either);
    await attempt(() => outcome(enrol, () => run(poses, true)));
    if (signal.aborted) return;
    if (leave.signal.aborted) say(t('guide.cancelled'));
    leave.abort(); // no more pictures
    says.textContent = '';
    [busy.hidden, idle.hidden, choice.disabled] = [true, false, false];
    start.focus();
  }

  return h('div', {class: 'card'}, h('h2', {}, t('guide.title')), h('p', {}, t('guide.intro')),
    field(t('guide.camera'), choice), says, busy, idle);
}

// watch shows what the camera sees until the signal ends.
async function watch(camera, paint, signal) {
  const address = api.query(api.address('cameras', camera, 'snapshot.jpg'), {overlay: 'boxes'});
  while (!signal.aborted) {
    try {
      paint(await api.picture(address, signal));
      await sleep(100, signal);
    } catch {
      await sleep(1000, signal); // what is wrong, the guide says
    }
  }
  paint(null);
}
