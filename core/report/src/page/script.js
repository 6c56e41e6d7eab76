(() => {
  const root = document.documentElement;
  const box = document.querySelector('.themes');
  const show = choice => {
    if (choice === 'auto') delete root.dataset.theme; else root.dataset.theme = choice;
    for (const button of box.children) {
      button.setAttribute('aria-pressed', button.dataset.choice === choice);
    }
  };
  let choice = 'auto';
  // A browser may keep nothing for pages from a disk.
  try { choice = localStorage.getItem('convscope-theme') || choice; } catch {}
  box.addEventListener('click', event => {
    const chosen = event.target.dataset.choice;
    if (!chosen) return;
    show(chosen);
    try { localStorage.setItem('convscope-theme', chosen); } catch {}
  });
  show(choice);
  box.hidden = false;
})();
(() => {
  const root = document.documentElement;
  const told = document.createElement('div');
  told.className = 'told';
  told.hidden = true;
  told.setAttribute('aria-hidden', 'true');
  document.body.append(told);
  const known = new WeakMap();
  const read = svg => {
    if (!known.has(svg)) {
      const map = JSON.parse(svg.dataset.values);
      const bytes = Uint8Array.from(atob(map.values), letter => letter.charCodeAt(0));
      known.set(svg, { ...map, bytes });
    }
    return known.get(svg);
  };
  // The cell between two of the borders, or -1 beside all.
  const cell = (borders, at) => {
    const next = borders.findIndex(border => border > at);
    return next < 1 ? -1 : next - 1;
  };
  const words = (map, row, column) => {
    const place = 2 * (row * (map.columns.length - 1) + column);
    const step = map.bytes[place] + 256 * map.bytes[place + 1];
    if (step === 65535) return 'no value';
    if (map.names) return map.names[step];
    const value = map.low + (map.high - map.low) * step / 65534;
    return `${Number(value.toPrecision(3))} ${map.unit}`.trim().replace('-', '\u2212');
  };
  const tell = event => {
    const svg = event.target.closest && event.target.closest('svg[data-values]');
    told.hidden = true;
    if (!svg) return;
    const map = read(svg);
    const turned = svg.getScreenCTM().inverse();
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(turned);
    const [row, column] = [cell(map.rows, 10 * point.y), cell(map.columns, 10 * point.x)];
    if (row < 0 || column < 0) return;
    const pixel = (borders, place, origin) =>
      Math.floor(((borders[place] + borders[place + 1]) / 2 - origin) / map.pixel);
    const [left, top] = map.origin;
    told.textContent = `${words(map, row, column)}, at row ${pixel(map.rows, row, top)}, ` +
      `column ${pixel(map.columns, column, left)}`;
    told.hidden = false;
    const { offsetWidth, offsetHeight } = told;
    const most = root.clientWidth - offsetWidth - 8;
    told.style.left = `${Math.max(8, Math.min(event.clientX + 12, most))}px`;
    told.style.top = `${Math.max(8, event.clientY - offsetHeight - 12)}px`;
  };
  for (const kind of ['pointerdown', 'pointermove']) document.addEventListener(kind, tell);
  document.addEventListener('scroll', () => { told.hidden = true; }, { passive: true });
})();
