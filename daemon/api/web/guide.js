// Enrolment before a camera: takes a few pictures, and says what to do for each.
import * as api from './api.js';
import {attempt, button, field, h, image, sleep} from './dom.js';
import {t} from './i18n.js';

const steps = ['front', 'left', 'right', 'closer'];
const pause = 2500; // to do what is asked for, in ms

// byCamera is a form that hands the pictures it took to done.
export function byCamera(cameras, name, done, signal) {
  const choice = h('select', {}, cameras.map((camera) => h('option', {value: camera.slug}, camera.name)));
  const {img, show: paint} = image(t('live.picture', {camera: ''}));
  const says = h('p', {role: 'status', class: 'step'});
  const start = button(t('guide.start'), run, {class: 'primary'});
  const picture = h('div', {class: 'picture', hidden: true}, img);

  async function run() {
    if (!name.reportValidity()) return;
    start.disabled = true;
    picture.hidden = false;
    await attempt(async () => {
      const pictures = [];
      for (const step of steps) {
        says.textContent = t(`guide.${step}`);
        const until = Date.now() + pause;
        let taken;
        while (Date.now() < until && !signal.aborted) {
          taken = await api.picture(api.address('cameras', choice.value, 'snapshot.jpg'), signal);
          paint(taken);
          await sleep(100, signal);
        }
        if (signal.aborted) return;
        pictures.push(new File([taken], `${t(`guide.${step}.name`)}.jpg`, {type: 'image/jpeg'}));
      }
      says.textContent = t('enrol.working');
      await done(pictures);
    });
    says.textContent = '';
    picture.hidden = true;
    start.disabled = false;
    start.focus();
  }

  return h('div', {class: 'card'}, h('h2', {}, t('guide.title')), h('p', {}, t('guide.intro')),
    field(t('guide.camera'), choice), picture, says, start);
}
