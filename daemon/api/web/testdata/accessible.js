// Evaluates to a list of what keeps people from using the page as it is now.
(() => {
  const problems = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (e) => `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ''} "${(e.textContent || e.outerHTML).trim().slice(0, 40)}"`;
  const visible = (e) => e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) && e.getClientRects().length > 0;
  const text = (e) => (e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('') || e.textContent).trim();

  // Frame: language, title, one h1, one main, a named nav, headings without gaps.
  if (!['en', 'es'].includes(document.documentElement.lang)) problems.push(`lang is "${document.documentElement.lang}"`);
  if (!document.title) problems.push('no title');
  if (all('h1').length !== 1) problems.push(`${all('h1').length} h1`);
  if (all('main').length !== 1) problems.push(`${all('main').length} main`);
  all('nav, section, [role=region], [role=group], article, dialog').forEach((e) => {
    if (!text(e) || (e.matches('nav, article, dialog, [role]') && !e.hasAttribute('aria-label') && !e.hasAttribute('aria-labelledby'))) problems.push(`${named(e)} has no name`);
  });
  let level = 0;
  all('main h1, main h2, main h3, main h4').filter(visible).forEach((e) => {
    const next = Number(e.tagName[1]);
    if (next > level + 1) problems.push(`${named(e)} comes after h${level}`);
    level = next;
  });
  const ids = all('[id]').map((e) => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => problems.push(`two elements have the id ${id}`));
  all('[for], [aria-describedby], [aria-labelledby], [list], [form]').forEach((e) => {
    ['for', 'aria-describedby', 'aria-labelledby', 'list', 'form'].forEach((name) => {
      const id = e.getAttribute(name);
      if (id && !document.getElementById(id)) problems.push(`${named(e)}: ${name}="${id}" leads nowhere`);
    });
  });

  // Names of what is used.
  all('input:not([type=hidden]), select, textarea').filter(visible).forEach((e) => {
    if (![...e.labels].some((label) => label.textContent.trim())) problems.push(`${named(e)} has no label`);
  });
  all('a[href], button, summary').filter(visible).forEach((e) => {
    if (!text(e)) problems.push(`${named(e)} has no name`);
    const {width, height} = e.getBoundingClientRect();
    if (!e.matches('p a, .skip') && (width < 24 || height < 24)) problems.push(`${named(e)} is ${width} x ${height} pixels: too small to hit`);
  });
  all('img').forEach((e) => {
    if (!e.hasAttribute('alt')) problems.push(`${named(e)} has no alt`);
  });
  if (all('[tabindex]').some((e) => e.tabIndex > 0)) problems.push('a tabindex changes the order');

  // Contrast: WCAG AA, 4.5, or 3 for large text.
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (color, below) => {
    paint.fillStyle = below ? `rgb(${below})` : '#fff';
    paint.fillRect(0, 0, 1, 1);
    paint.fillStyle = color;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const background = (e) => {
    const chain = [];
    for (; e; e = e.parentElement) chain.unshift(getComputedStyle(e).backgroundColor);
    return chain.reduce((below, color) => rgb(color, below), null);
  };
  const luminance = (c) => c.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const top = document.querySelector('dialog[open]');
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !visible(e) || e.closest(':disabled, noscript') || (top && !top.contains(e))) continue;
    const style = getComputedStyle(e);
    const below = background(e);
    const [dark, light] = [luminance(rgb(style.color, below)), luminance(below)].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5)) problems.push(`${named(e)} has a contrast of ${ratio.toFixed(1)}`);
  }

  if (document.documentElement.scrollWidth > innerWidth) problems.push(`the page is ${document.documentElement.scrollWidth} pixels wide, the window ${innerWidth}`);
  return problems;
})();
